"""Linear stages: alone, one after the other, as one, in a batch and in flow, they are the same samples."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy import signal

from daiw_master.stack.convolution import convolve
from daiw_master.stack.eq import EQ
from daiw_master.stack.filter_flow import FRAMED, Filter
from daiw_master.stack.flow import merged, through
from daiw_master.stack.frames import frame
from daiw_master.stack.linear import CUTS_KEPT, Fir, Linear, Pair, pair
from daiw_master.stack.linear_response import linear_response
from daiw_master.stack.partitioned import Partitioned
from daiw_master.stack.reverb import REVERB
from tests import signals

RATE = 44100
ROOM = {**REVERB.space.defaults(), "wet_db": -9.0, "decay_s": 0.3, "width": 0.6}
TONE = {**EQ.space.defaults(), "low_shelf_gain_db": 4.0, "peak_3_gain_db": -5.0, "high_pass_hz": 30.0}


def cuts(x, sizes):
    """Blocks of these lengths in turn until the sound is used up."""
    blocks, start = [], 0
    for size in itertools.cycle(sizes):
        if start >= x.shape[-1]:
            return blocks or [x]
        blocks.append(x[..., start : start + size])
        start += size


def run(line, x, sizes, send=None):
    """All that comes out, having checked that no more is held back than `latency` says."""
    flow, went, came, parts = line[0], 0, 0, []
    sends = [None] * len(cuts(x, sizes)) if send is None else cuts(send, sizes)
    for block, beside in zip(cuts(x, sizes), sends, strict=True):
        before = block.clone()
        parts.append(flow.push(block) if beside is None else flow.push(block, send=beside))
        assert torch.equal(block, before)
        went, came = went + block.shape[-1], came + parts[-1].shape[-1]
        assert came >= went - flow.latency
    rest = flow.finish()
    return torch.cat(parts + ([] if rest is None else [rest]), dim=-1)


@pytest.mark.parametrize("sizes", [(1, 0, 3), (64,), (997, 2, 5001), (100_000,)])
@pytest.mark.parametrize("block", [64, 512, 65536])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("effect,settings", [(REVERB, ROOM), (EQ, TONE)])
def test_a_flow_is_the_whole(effect, settings, channels, block, sizes):
    time = 300 if sizes[0] == 1 else 40_000
    x = signals.noise(1.0, channels=channels)[..., :time]
    for length in (None, time):
        y = run(effect.flow(RATE, channels, block=block, length=length, **settings), x, sizes)
        assert y.shape == x.shape
        assert float((y - effect(x, RATE, **settings)).abs().max()) < 1e-5


@pytest.mark.parametrize("time", [0, 1])
@pytest.mark.parametrize("block", [128, 65536])
def test_a_sound_of_nearly_nothing(time, block):
    x = torch.ones(1, 2, time)
    y = run(REVERB.flow(RATE, 2, block=block, length=time, **ROOM), x, (10,))
    assert y.shape == x.shape
    assert torch.allclose(y, REVERB(x, RATE, **ROOM), atol=1e-6)


@pytest.mark.parametrize("block", [64, 65536])
@pytest.mark.parametrize("lead,taps", [(0, 1), (40, 81), (500, 501), (300, 5000)])
def test_a_filter_that_looks_ahead(block, lead, taps):
    x, fir = signals.noise(0.5), signals.noise(0.2, seed=3, channels=1)[..., :taps]
    flow = Filter(Linear((Fir(fir, lead),)), block=block)
    assert (flow.latency == lead) == (block < FRAMED)
    wanted = convolve(x, fir, lead)
    assert float((run([flow], x, (777,)) - wanted).abs().max()) < 1e-5 * float(wanted.abs().max())


@pytest.mark.parametrize("sent", [False, True])
@pytest.mark.parametrize("order", ["reverb eq", "eq reverb", "eq reverb eq"])
@pytest.mark.parametrize("channels", [1, 2])
def test_neighbours_are_one(order, sent, channels):
    x, send = (signals.noise(1.0, seed=seed, channels=channels) for seed in (0, 1))
    stages = [(REVERB, ROOM) if name == "reverb" else (EQ, TONE) for name in order.split()]
    wanted = x
    for effect, settings in stages:
        beside = {"send": send} if sent and effect is REVERB else {}
        wanted = effect(wanted, RATE, **settings, **beside)
    one = linear_response([(effect.name, settings) for effect, settings in stages], x, RATE)
    assert float((one(x, send if sent else None) - wanted).abs().max()) < 1e-5
    for block in (512, 65536):
        flows = [
            f for effect, settings in stages for f in effect.flow(RATE, channels, block=block, **settings)
        ]
        line = merged(flows)
        assert len(line) == 1
        assert float((run(line, x, (4410,), send if sent else None) - wanted).abs().max()) < 1e-5


def test_what_does_not_fit_in_one_stays_two():
    room, tone = (
        linear_response([one], torch.zeros(1, 2, 1), RATE) for one in (("reverb", ROOM), ("eq", TONE))
    )
    assert room.then(room) is None
    assert Linear((Fir(torch.ones(1, 1, 3), 1),)).then(room) is None, "the send would come too early"
    assert room.then(Linear((Fir(torch.ones(1, 2, 3)),))) is None, "sides filtered apart are no pair"
    assert Filter(tone, block=64).merged(Filter(tone, block=128)) is None
    assert linear_response([("reverb", ROOM), ("reverb", ROOM)], torch.zeros(1, 2, 1), RATE) is None
    x = signals.noise(0.5)
    y = torch.cat(list(through(merged([Filter(room), Filter(room)]), [x])), dim=-1)
    assert torch.allclose(y, room(room(x)), atol=1e-5)


def test_rest_is_nothing():
    assert REVERB.flow(RATE, 2, **REVERB.space.defaults()) == ()
    assert EQ.flow(RATE, 2, **EQ.space.defaults()) == ()
    x = signals.noise(0.1)
    resting = [("reverb", REVERB.space.defaults()), ("eq", EQ.space.defaults())]
    assert torch.equal(linear_response(resting, x, RATE)(x), x)


def test_a_matrix_of_filters_is_a_pair():
    x = signals.noise(0.3, dtype=torch.float64)
    matrix = torch.randn(3, 2, 2, 700, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    ours = Linear(room=pair(matrix))(x) - x
    for b, out in itertools.product(range(3), range(2)):
        theirs = sum(signal.oaconvolve(x[0, i], matrix[b, out, i])[: x.shape[-1]] for i in range(2))
        np.testing.assert_allclose(ours[b, out], theirs, atol=1e-9)
    turn = pair(matrix).same
    across = torch.full((1, 1, 1), 0.3j, dtype=turn.dtype)
    short = Linear(room=Pair(turn, across=across))(x)
    torch.testing.assert_close(short, Linear(room=Pair(turn, across * turn.conj()))(x), atol=1e-10, rtol=0)


@pytest.mark.parametrize("block", [128, 65536])
def test_a_batch_of_filters_flows(block):
    x, gains = signals.noise(0.5), torch.tensor([-12.0, 3.0, 6.0])
    tone, room = {**TONE, "peak_3_gain_db": gains}, {**ROOM, "wet_db": gains - 20}
    line = merged([*REVERB.flow(RATE, 2, block=block, **room), *EQ.flow(RATE, 2, block=block, **tone)])
    wanted = EQ(REVERB(x, RATE, **room), RATE, **tone)
    assert float((run(line, x, (900, 0)) - wanted).abs().max()) < 1e-5


@pytest.mark.parametrize("block,taps", [(16, 1), (16, 16), (16, 17), (64, 1000)])
def test_parts_are_the_direct_convolution(block, taps):
    x, fir = (
        signals.noise(0.1, seed=seed, dtype=torch.float64)[..., :n] for seed, n in ((0, 2000), (1, taps))
    )
    engine = Partitioned(fir, None, block, x)
    ours = torch.cat([engine.push(piece) for piece in cuts(x, (block, 3, 50, 0, 200))], dim=-1)
    theirs = signal.oaconvolve(x.numpy(), fir.numpy(), axes=-1)[..., :2000]
    np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-10)


def test_what_is_held_does_not_grow():
    flow = merged([*REVERB.flow(RATE, 2, block=256, **ROOM), *EQ.flow(RATE, 2, block=256, **TONE)])[0]

    def held():
        running = flow._running
        waiting = sum(piece.untyped_storage().nbytes() for piece in running.made._pieces)
        return waiting + sum(heard.nbytes for heard in running.answer._heard)

    x = signals.noise(0.1)[..., :256]
    flow.push(x)
    at_first = held()
    for _ in range(300):
        flow.push(x)
    assert held() <= at_first + 4 * 2 * 256 * 2


def random_settings(effect, count, seed):
    draw = torch.Generator().manual_seed(seed)
    return {
        param.name: torch.as_tensor(param.physical(torch.rand(count, generator=draw))).float()
        for param in effect.params
    }


def test_a_population_is_its_items_alone():
    x = signals.music(1.0)
    rooms, tones = random_settings(REVERB, 5, 0), random_settings(EQ, 5, 1)
    rooms["wet_db"] = torch.linspace(-30.0, -6.0, 5)
    kept = {}
    for group in (slice(0, 3), slice(3, 5)):
        own = [
            ("reverb", {name: value[group] for name, value in rooms.items()}),
            ("eq", {name: value[group] for name, value in tones.items()}),
        ]
        together = linear_response(own, x, RATE)(x, kept=kept)
        for n, y in zip(range(group.start, group.stop), together, strict=True):
            alone = REVERB(x, RATE, **{name: float(value[n]) for name, value in rooms.items()})
            alone = EQ(alone, RATE, **{name: float(value[n]) for name, value in tones.items()})[0]
            assert float((y - alone).abs().max()) < 1e-5 * max(1.0, float(alone.abs().max()))
    assert kept


def test_of_a_sound_only_the_last_transforms_are_kept():
    x, kept, fir = signals.music(1.0), {}, signals.noise(0.5, seed=3)
    lengths = (300, 3000, 9000, 20_000, 300)
    for length in lengths:
        stage = Linear((Fir(fir[..., :length]),))
        with torch.no_grad():
            assert torch.equal(stage(x, kept=kept), stage(x))
    assert len(kept) == CUTS_KEPT < len({frame(length, x.shape[-1]) for length in lengths})


def test_a_population_learns_as_its_items_alone():
    """Groups that are made anew on the way back give the gradients of one graph."""
    x = signals.music(0.3)
    rooms = {name: value.requires_grad_() for name, value in random_settings(REVERB, 9, 0).items()}
    tones = {name: value.requires_grad_() for name, value in random_settings(EQ, 9, 1).items()}
    knobs = [*rooms.values(), *tones.values()]
    weights = torch.randn(9, 1, 1, generator=torch.Generator().manual_seed(5))

    def loss(which):
        own = [
            ("reverb", {k: v[which] for k, v in rooms.items()}),
            ("eq", {k: v[which] for k, v in tones.items()}),
        ]
        return (linear_response(own, x, RATE)(x).square() * weights[which]).mean((1, 2)).sum()

    together = torch.autograd.grad(loss(slice(0, 9)), knobs)
    apart = torch.autograd.grad(sum(loss(slice(n, n + 1)) for n in range(9)), knobs)
    for one, other in zip(together, apart, strict=True):
        torch.testing.assert_close(one, other, rtol=2e-3, atol=1e-4 * float(other.abs().max() + 1e-9))


def test_both_as_one_have_their_gradients():
    x = torch.randn(1, 2, 600, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    send = x.flip(1).requires_grad_()
    x.requires_grad_()
    names = [("reverb", name) for name in ("wet_db", "decay_s", "width")]
    names += [("eq", name) for name in ("low_shelf_gain_db", "peak_4_gain_db", "peak_4_q")]
    start = [-9.0, 0.31, 0.6, 3.0, -2.0, 1.3]
    knobs = [torch.tensor([value], dtype=torch.float64, requires_grad=True) for value in start]

    def both(x, send, *values):
        own = {"reverb": REVERB.space.defaults(), "eq": EQ.space.defaults()}
        for (effect, name), value in zip(names, values, strict=True):
            own[effect] = {**own[effect], name: value}
        return linear_response(own.items(), x, 8000)(x, send)

    assert torch.autograd.gradcheck(both, (x, send, *knobs), eps=1e-6, atol=1e-5, fast_mode=True)


@pytest.mark.parametrize("taps", [1, 3000, 100_000])
@pytest.mark.parametrize("time", [1, 5000, 8_000_000])
def test_frames_hold_the_filter(taps, time):
    taps = min(taps, time)
    for filters, at_once in itertools.product((1, 64), (1024, 1 << 19)):
        size, hop = frame(taps, time, filters, at_once)
        assert 0 < hop <= min(time, size - taps + 1)
        assert size & (size - 1) == 0
