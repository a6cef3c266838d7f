"""How the guesser is taught: `python -m daiw_master.training.guess examples|fit --data DIR`."""
