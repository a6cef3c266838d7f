"""A sound through a live chain, block by block."""

import torch


def play(live, x, changes=None):
    """(channels, time) in whole blocks through a chain; `changes` {block number: settings} on the way."""
    out = []
    for number, block in enumerate(x.split(live.block, dim=-1)):
        if block.shape[-1] < live.block:
            break
        if changes and number in changes:
            live.set(changes[number])
        out.append(live.process(block))
    return torch.cat(out, dim=-1)
