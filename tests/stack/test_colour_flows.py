"""Exciter, imager, tape, clipper, bits, wow and noise in the middle of a song: the song's own samples."""

from __future__ import annotations

import itertools

import pytest
import torch

from daiw_master.errors import InputError
from daiw_master.stack import EFFECTS
from daiw_master.stack.exciter import Windows
from daiw_master.stack.exciter import flow as exciter_flow
from daiw_master.stack.flow import through
from tests import signals

SETTINGS = {
    "exciter": {"mix_db": -10.0, "cutoff_hz": 2000.0, "drive_db": 20.0},
    "imager": {"low_width_db": -20.0, "high_width_db": 4.0, "correlation_floor": 0.3},
    "imager bands": {"mid_width_db": 3.0},
    "imager floor": {"correlation_floor": 0.4},
    "tape": {"drive_db": 9.0, "bandwidth_hz": 9000.0, "bump_db": 2.0},
    "clipper": {"threshold_db": -16.0, "hardness": 0.6},
    "bits": {"depth_bits": 9.0, "rate_hz": 11000.0},
    "bits held": {"rate_hz": 4000.0},
    "wow": {"wow_cents": 20.0, "flutter_cents": 6.0},
    "wow slow": {"wow_cents": 50.0, "wow_hz": 0.2},
    "noise": {"hiss_db": -50.0, "room_db": -40.0, "crackle_db": -45.0},
    "noise that follows": {"hiss_db": -40.0, "follow": 0.7},
}
every_colour = pytest.mark.parametrize("colour", SETTINGS)


def line(colour: str, rate: int, channels: int, **options):
    effect = EFFECTS[colour.partition(" ")[0]]
    return effect.flow(rate, channels, **options, **(effect.space.defaults() | SETTINGS[colour]))


def processed(colour: str, x: torch.Tensor, rate: int) -> torch.Tensor:
    return EFFECTS[colour.partition(" ")[0]](x, rate, **SETTINGS[colour])


def song(seconds: float, rate: int, channels: int = 2) -> torch.Tensor:
    """Music, digital silence, and noise that is opposed on both sides for a while."""
    x = signals.music(seconds, rate) + signals.noise(seconds, rate, -30.0)
    n = x.shape[-1]
    x[..., n // 3 : n // 3 + n // 10] = 0.0
    x[:, 1, n // 2 : n * 2 // 3] *= -0.8
    return x[:, :channels].contiguous()


def cut(x: torch.Tensor, lengths) -> list[torch.Tensor]:
    """Blocks of the given lengths, again and again, to the end."""
    blocks, start = [], 0
    for length in itertools.cycle(lengths):
        if start >= x.shape[-1]:
            return blocks
        blocks.append(x[..., start : start + length])
        start += length


@every_colour
@pytest.mark.parametrize(
    ("rate", "channels", "lengths", "block"),
    [
        (44100, 2, (65536,), 65536),
        (44100, 1, (70001, 0, 33), 65536),
        (48000, 2, (512,), 512),
        (48000, 1, (64,), 64),
        (96000, 2, (40000, 17, 0, 1, 90001), 30000),
    ],
)
def test_a_song_in_blocks_is_the_song(colour, rate, channels, lengths, block):
    seconds = {65536: 7.0, 30000: 2.2}.get(block, 0.7)
    x = song(seconds, rate, channels)
    flows = line(colour, rate, channels, block=block)
    with torch.no_grad():
        before = x.clone()
        y = torch.cat([*through(flows, cut(x, lengths))], dim=-1)
        assert torch.equal(x, before)
        assert y.shape == x.shape
        assert float((y - processed(colour, x, rate)).abs().max()) <= 1e-5


@every_colour
@pytest.mark.parametrize("time", [1, 30, 700])
def test_a_moment_of_sound_is_that_moment(colour, time):
    x = song(1.0, 44100)[..., 22050 : 22050 + time]
    with torch.no_grad():
        y = torch.cat([*through(line(colour, 44100, 2), [x])], dim=-1)
        assert float((y - processed(colour, x, 44100)).abs().max()) <= 1e-5
        assert not list(through(line(colour, 44100, 2), [x[..., :0]]))


@every_colour
@pytest.mark.parametrize("block", [65536, 256])
def test_what_a_flow_promises_of_its_latency_holds(colour, block):
    flows, came, went = line(colour, 48000, 2, block=block), 0, 0
    latency = sum(flow.latency for flow in flows)
    for part in song(12.0 if block > 512 else 1.0, 48000).split(block, dim=-1):
        went += part.shape[-1]
        with torch.no_grad():
            for flow in flows:
                part = flow.push(part)
        came += part.shape[-1]
        assert came >= went - latency
    assert came > 0


def held_by(thing, seen: set[int]) -> int:
    """Numbers in all tensors that can be reached from a flow."""
    if id(thing) in seen:
        return 0
    seen.add(id(thing))
    if isinstance(thing, torch.Tensor):
        storage = thing.untyped_storage()
        if storage.data_ptr() in seen:
            return 0
        seen.add(storage.data_ptr())
        return storage.nbytes() // 4
    if isinstance(thing, dict):
        return sum(held_by(item, seen) for item in thing.values())
    if isinstance(thing, (list, tuple)):
        return sum(held_by(item, seen) for item in thing)
    if callable(thing) and getattr(thing, "__closure__", None):
        return sum(held_by(cell.cell_contents, seen) for cell in thing.__closure__)
    frame = getattr(thing, "gi_frame", None)
    if frame is not None:
        return held_by(dict(frame.f_locals), seen)
    return held_by(vars(thing), seen) if hasattr(thing, "__dict__") else 0


@every_colour
def test_nothing_grows_with_the_song(colour):
    """What a flow holds after one second and after five, in numbers: the same within a block."""
    flows, held = line(colour, 44100, 2, block=4096), []
    with torch.no_grad():
        for part in song(5.0, 44100).split(4410, dim=-1):
            for flow in flows:
                part = flow.push(part)
            held.append(sum(held_by(flow, set()) for flow in flows))
    assert max(held[20:]) <= 1.05 * max(held[:20]) + 1e4


@every_colour
def test_a_knob_at_rest_is_no_flow(colour):
    effect = EFFECTS[colour.partition(" ")[0]]
    assert tuple(effect.flow(44100, 2, **effect.space.defaults())) == ()


def test_width_in_flow_is_nothing_in_mono_and_refused_beyond_two_channels():
    assert tuple(line("imager", 44100, 1)) == ()
    with pytest.raises(InputError, match="3 channels"):
        line("imager", 44100, 3)


@pytest.mark.parametrize(("colour", "longest"), [("bits", 0), ("noise", 0), ("clipper", 64), ("tape", 768)])
def test_what_hears_little_ahead_is_soon_heard(colour, longest):
    assert sum(flow.latency for flow in line(colour, 48000, 2, block=64)) <= longest


def test_an_exciter_with_short_windows_hears_less_ahead():
    """Live windows: below 12 ms of look-ahead, the same in any cut, and as loud as was asked."""
    windows = Windows(filter_ms=1.3, hop_ms=1.0, envelope_hops=1, level_hops=25, level_ahead_hops=0)
    settings = EFFECTS["exciter"].space.defaults() | {"mix_db": -12.0, "cutoff_hz": 3000.0}
    # Where digital silence ends, level is read off rounding: here there is a floor under it.
    x, made = song(2.0, 48000) + signals.noise(2.0, 48000, -80.0, seed=5), []
    for lengths, block in (((128,), 128), ((65536,), 65536), ((9000, 77), 9000)):
        flows = exciter_flow(48000, 2, block=block, windows=windows, **settings)
        with torch.no_grad():
            made.append(torch.cat([*through(flows, cut(x, lengths))], dim=-1))
        if block == 128:
            assert flows[0].latency <= 0.012 * 48000
    assert max(float((other - made[0]).abs().max()) for other in made[1:]) <= 1e-5
    (whole,) = made[:1]
    offline = EFFECTS["exciter"](x, 48000, **settings)
    louder_db = 20 * float(((whole - x).std() / (offline - x).std()).log10())
    assert abs(louder_db) < 3.0
