"""Flows: a stage cut into blocks of any length makes the samples it makes of the whole."""

import pytest
import torch

from daiw_master.sounds import Held, Spool
from daiw_master.stack.flow import Flow, Nearby, stream, through


def blurred(part, first):
    """Mean of a sample, three before and five after it; silence outside."""
    padded = torch.nn.functional.pad(part, (3, 5))
    return padded.unfold(-1, 9, 1).mean(-1)


@pytest.mark.parametrize("cut", [1, 7, 64, 1000, 5000])
@pytest.mark.parametrize("size", [1, 64, 1 << 16])
def test_nearby_is_the_whole(cut, size):
    torch.manual_seed(0)
    x = torch.randn(1, 2, 1500)
    flow = Nearby(blurred, back=3, ahead=5, size=size)
    came = 0
    parts = []
    for number, block in enumerate(x.split(cut, dim=-1), 1):
        parts.append(flow.push(block))
        came += parts[-1].shape[-1]
        assert came >= min(number * cut, 1500) - flow.latency
    parts.append(flow.finish())
    y = torch.cat([part for part in parts if part is not None], dim=-1)
    assert torch.allclose(y, blurred(x, 0), atol=1e-6)


def test_nearby_begins_on_whole_steps():
    firsts = []

    def stage(part, first):
        firsts.append(first)
        return part

    flow = Nearby(stage, back=10, ahead=4, step=8, size=100)
    x = torch.arange(1000.0).reshape(1, 1, -1)
    y = torch.cat(list(through([flow], x.split(33, dim=-1))), dim=-1)
    assert torch.equal(y, x)
    assert all(first % 8 == 0 for first in firsts) and len(firsts) > 5


class Levelled(Flow):
    """Divides by the largest sample of the whole."""

    hears_first = True

    def __init__(self):
        self.largest = 0.0

    def hear(self, x):
        self.largest = max(self.largest, float(x.abs().max()))

    def push(self, x):
        return x / self.largest


def test_what_hears_first_hears_all_that_came_before_it():
    x = torch.tensor([[[1.0, 2.0, -8.0, 4.0]]]).repeat(1, 1, 500)
    flows = [Nearby(lambda part, first: 3 * part, back=0, ahead=7), Levelled(), Levelled()]
    y = torch.cat(list(stream(flows, Held(x, 44100), lambda: Spool(1, 44100))), dim=-1)
    assert torch.allclose(y, x / 8)


def test_a_chain_in_flow_is_the_chain():
    """Rows without a flow of their own (a plugin) run at the end of the sound; rows at rest not at all."""
    from daiw_master.stack import EFFECTS, PEDALBOARD
    from daiw_master.stack.chain import flows_of, qualified, run_chain

    torch.manual_seed(0)
    x = 0.1 * torch.randn(1, 2, 9000)
    placed = qualified([PEDALBOARD["pedalboard_low_shelf_filter"], EFFECTS["eq"], EFFECTS["bits"]])
    settings = {"pedalboard_low_shelf_filter.gain_db": 3.0, "bits.depth_bits": 8.0}
    flows = flows_of(placed, 44100, 2, settings)
    y = torch.cat(list(stream(flows, Held(x, 44100), lambda: Spool(2, 44100))), dim=-1)
    assert torch.allclose(y, run_chain(placed, x, 44100, settings), atol=1e-5)
    assert flows_of(placed, 44100, 2, {}) == []
