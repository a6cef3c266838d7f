"""What a network has learned about sound: how a production is recognised, whatever was played."""
