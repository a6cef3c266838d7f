"""How the weights that ship were made: data, objectives and fits, each a command that can be run again."""
