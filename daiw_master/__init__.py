"""From a MIDI file and a feeling to a finished master."""
