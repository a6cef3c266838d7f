"""What the baselines hear, against slow computations written out and against sounds whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.style.clips import RATE
from benchmarks.style.features import FEATURES, Heard
from benchmarks.style.features.mir import BARK_EDGES_HZ

COUNT = 24_000


def music(seed: int = 3, count: int = COUNT) -> np.ndarray:
    """(2, count): tones under noise that come and go, wider on top."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(count) / RATE
    tones = sum(np.sin(2 * np.pi * hz * time_s + hz) / n for n, hz in enumerate((90, 440, 1234, 6100), 1))
    x = np.stack([tones, 0.7 * tones]) * np.exp(-5 * (time_s % 0.21)) + 0.03 * rng.standard_normal((2, count))
    return (0.3 * x).astype(np.float32)


def slow_mfcc(x: np.ndarray) -> np.ndarray:
    """MFCC-75 frame by frame, band by band, by the definitions."""
    mono = (x / np.abs(x).max()).mean(0).astype(np.float64)
    size, hop, bands, rate = 2048, 1024, 128, 48_000
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    starts = range(0, len(mono) - size + 1, hop)
    power = np.array([np.abs(np.fft.rfft(window * mono[s : s + size])) ** 2 for s in starts])
    top = 2595 * np.log10(1 + rate / 2 / 700)
    centres = [700 * (10 ** (top * i / (bands + 1) / 2595) - 1) for i in range(bands + 2)]
    mel = np.zeros((len(power), bands))
    for band in range(bands):
        low, middle, high = centres[band : band + 3]
        for k in range(size // 2 + 1):
            hz = k * rate / size
            if low < hz <= middle:
                mel[:, band] += power[:, k] * (hz - low) / (middle - low)
            elif middle < hz < high:
                mel[:, band] += power[:, k] * (high - hz) / (high - middle)
    level = 10 * np.log10(np.maximum(mel, 1e-10))
    level = np.maximum(level, level.max() - 80)
    n = np.arange(bands)
    rows = []
    for order in range(25):
        scale = np.sqrt((1 if order == 0 else 2) / bands)
        rows.append(scale * (level * np.cos(np.pi * order * (2 * n + 1) / (2 * bands))).sum(1))
    c = np.array(rows)
    deviation = np.sqrt(((c - c.mean(1, keepdims=True)) ** 2).sum(1) / (c.shape[1] - 1))
    return np.concatenate([c.mean(1), deviation, c.max(1)])


def test_mfcc_is_what_its_definition_says():
    x = music()
    assert FEATURES["mfcc"](Heard(x)) == pytest.approx(slow_mfcc(x), rel=1e-3, abs=2e-2)


@pytest.mark.parametrize("name", FEATURES)
def test_level_is_no_style(name):
    x = music(count=3 * RATE)
    assert FEATURES[name](Heard(x / 4)) == pytest.approx(FEATURES[name](Heard(x)), rel=1e-3, abs=1e-3)


def test_mir_of_a_sine():
    time_s = np.arange(3 * RATE) / RATE
    sine = np.sin(2 * np.pi * 1000 * time_s)
    told = FEATURES["mir"](Heard(np.stack([sine, sine]).astype(np.float32)))
    assert told[0] == pytest.approx(0, abs=0.1)  # BS.1770: a full sine in both channels, 0 LUFS
    assert told[1] == pytest.approx(0, abs=0.01)
    assert told[4:6] == pytest.approx([3.01, 3.01], abs=0.01)  # crest
    bark = told[6:30]
    assert BARK_EDGES_HZ[bark.argmax()] == 920 and bark.max() == pytest.approx(0, abs=0.1)
    assert (told[30:54] == -80).all()  # no side at all
    assert told[54] == pytest.approx(np.log2(1000 / 20), abs=0.02)  # centroid, octaves over 20 Hz
    assert told[-2:] == pytest.approx([-80, 0])  # width, balance


def test_mir_hears_width_and_balance():
    x = music(count=3 * RATE)
    wide = np.stack([x[0], -x[0]])
    left = np.stack([x[0], 0.5 * x[0]])
    assert FEATURES["mir"](Heard(wide))[-2] > 60
    assert FEATURES["mir"](Heard(left))[-1] == pytest.approx(6.02, abs=0.01)


def test_published_mir_keeps_its_slips():
    """Loudness as a sign, crest of a sign signal: a mono sound's dynamics are invisible to it."""
    calm = np.repeat(music(count=3 * RATE)[:1], 2, axis=0)
    crushed = np.tanh(20 * calm)
    one, other = (FEATURES["mir_published"](Heard(sound)) for sound in (calm, crushed))
    assert abs(one[0]) == pytest.approx(5**-0.5)
    assert one[0] == pytest.approx(other[0])
    assert one[1:3] == pytest.approx(other[1:3])  # RMS, two equal channels: always 45 degrees
    assert one[3:5].tolist() == [0, 0]  # crest: of a sign signal none at all
    assert one @ one == pytest.approx(4 / 5)
