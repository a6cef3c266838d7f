"""Excerpts to compare by ear: a quiet, a middle and a loud stretch, before and after, equally loud."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import torch

from daiw_master.audio import Audio
from daiw_master.files import FORMATS, resample
from daiw_master.meters import integrated_loudness, short_term
from daiw_master.meters.traces import loudness_scan
from daiw_master.sounds import Sound, part, sound_of, whole
from daiw_master.units import db_from_gain, gain_from_db

EXCERPT_S = 20.0
#: Equal on both sides, and every browser plays it. Six times 20 s of it are 4.5 MB as base64.
CODEC, KBITS = "mp3", 224
#: Under this the codec's own overshoot does not reach full scale.
ENCODER_PEAK = 0.89
#: The first and last moment of an excerpt, faded so that a loop does not click.
EDGE_S = 0.01
#: Stretches begin on this grid; each is heard through windows of 3 s.
GRID_S, WINDOW_S = 0.5, 3.0
#: Moments further under the loudest than this are no music to compare; most of a stretch must be.
AUDIBLE_LU, MUSIC_SHARE = 25.0, 0.9
SILENT_LUFS = -70.0
NAMES = ("quiet", "median", "loudest")


@dataclass(frozen=True)
class Side:
    """One side of an excerpt: the encoded file in base64, its loudness as it was, the gain it was given."""

    data: str
    lufs: float
    gain_db: float


@dataclass(frozen=True)
class Excerpt:
    """The same stretch of both sounds, encoded equally loud; `name` says what stands out about it."""

    name: str
    start_s: float
    duration_s: float
    rate: int
    before: Side
    after: Side

    @property
    def louder(self) -> str:
        return "after" if self.after.lufs >= self.before.lufs else "before"

    @property
    def turned_down_db(self) -> float:
        """What equal loudness took off the louder side, against the other."""
        return abs(self.after.gain_db - self.before.gain_db)


def excerpts_of(before: Audio | Sound, after: Audio | Sound) -> list[Excerpt]:
    """Up to three stretches of 20 s, aligned to the sample: quiet, middle and loudest, if there is room."""
    before, after = sound_of(before), sound_of(after)
    length = min(before.time, after.time)
    if not length:
        return []
    before, after = (part(sound, 0, length) for sound in (before, after))
    return [_excerpt(name, start_s, before, after) for name, start_s in choose(after)]


def choose(audio: Audio | Sound) -> list[tuple[str, float]]:
    """Where to listen: (name, start in s), by the mean of the 3 s loudness; no two stretches overlap."""
    sound = sound_of(audio)
    duration_s = sound.time / sound.rate
    if duration_s <= EXCERPT_S:
        return [("whole", 0.0)]
    trace = short_term(loudness_scan(sound), hop_ms=1000 * GRID_S)[0]
    # from the window that starts with the stretch to the one that ends with it
    windows = trace.unfold(0, min(len(trace), round((EXCERPT_S - WINDOW_S) / GRID_S) + 1), 1)
    levels, music = windows.mean(-1), (windows > trace.max() - AUDIBLE_LU).double().mean(-1)
    worth = music >= min(MUSIC_SHARE, float(music.max()))
    grid = GRID_S * torch.arange(len(levels))
    starts = _apart(levels, grid, worth)
    room = min(len(NAMES), int(duration_s // EXCERPT_S))
    if len(starts) < room:
        # the best places stand in each other's way: choose among stretches laid end to end
        tiles = torch.linspace(0, float(grid[-1]), int(duration_s // EXCERPT_S))
        on_tile = torch.zeros_like(levels, dtype=torch.bool)
        on_tile[(tiles / GRID_S).long()] = True
        starts = max(starts, _apart(levels, grid, worth & on_tile), key=len)
    latest = duration_s - EXCERPT_S
    return [(name, min(starts[name], latest)) for name in NAMES if name in starts]


def _apart(levels: torch.Tensor, grid: torch.Tensor, allowed: torch.Tensor) -> dict[str, float]:
    """The loudest, then the softest, then the middle stretch, side by side."""
    middle = (levels - levels[allowed].median()).abs() if allowed.any() else levels
    starts: dict[str, float] = {}
    for name, far in (("loudest", -levels), ("quiet", levels), ("median", middle)):
        free = allowed.clone()
        for taken in starts.values():
            free &= (grid - taken).abs() >= EXCERPT_S - GRID_S
        if free.any():
            starts[name] = float(grid[far.masked_fill(~free, torch.inf).argmin()])
    return starts


def _excerpt(name: str, start_s: float, before: Sound, after: Sound) -> Excerpt:
    rate = after.rate
    start = round(start_s * rate)
    stop = min(start + round(EXCERPT_S * rate), after.time)
    sounds = [_playable(Audio(whole(part(sound, start, stop))[0], rate)) for sound in (before, after)]
    levels = [float(integrated_loudness(sound.batch, sound.rate)) for sound in sounds]
    gains = [min(levels) - level if min(levels) > SILENT_LUFS else 0.0 for level in levels]
    # a side that would come near full scale in the encoder takes the other one down with it
    room_db = min(_room_db(sound) - gain for sound, gain in zip(sounds, gains, strict=True))
    sides = [
        Side(_encoded(sound, gain + min(0.0, room_db)), level, gain + min(0.0, room_db))
        for sound, level, gain in zip(sounds, levels, gains, strict=True)
    ]
    return Excerpt(name, start / rate, (stop - start) / rate, sounds[0].rate, *sides)


def _room_db(sound: Audio) -> float:
    """How far the highest sample lies under what the encoder may be given; negative: over it."""
    return float(db_from_gain(ENCODER_PEAK) - db_from_gain(sound.samples.abs().max()))


def _playable(sound: Audio) -> Audio:
    """At a rate the codec knows, its edges faded."""
    if sound.rate not in FORMATS[f".{CODEC}"].rates:
        sound = resample(sound, 48000 if sound.rate % 48000 == 0 else 44100)
    fade = min(round(EDGE_S * sound.rate), sound.samples.shape[-1] // 2)
    samples = sound.samples.detach().cpu().float().clone()
    ramp = torch.linspace(0, 1, fade)
    samples[:, :fade] *= ramp
    samples[:, samples.shape[-1] - fade :] *= ramp.flip(0)
    return sound.with_samples(samples)


def _encoded(sound: Audio, gain_db: float) -> str:
    from pedalboard.io import AudioFile  # 0.14 s, only when there is something to encode

    file = io.BytesIO()
    with AudioFile(file, "w", sound.rate, sound.channels, 16, f"{KBITS} kbps", format=CODEC) as out:
        out.write((sound.samples * gain_from_db(gain_db)).numpy())
    return base64.b64encode(file.getvalue()).decode("ascii")
