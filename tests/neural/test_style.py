"""A style: heard in any sound, the same for the same production, saved and read back to the digit."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

import daiw_master as dm
from daiw_master.audio import Audio
from daiw_master.errors import InputError, WriteError
from daiw_master.files import write_audio
from daiw_master.neural.encoder import STYLE_RATE, STYLE_WINDOW, style_encoder
from daiw_master.neural.style import (
    FORMAT,
    Style,
    StyleSource,
    cosine,
    encoder_digest,
    halves,
    mean_style,
    read_style,
    style_of,
    unit,
    write_style,
)
from daiw_master.neural.windows import MOST_WINDOWS, windows_of
from daiw_master.sounds import Held
from tests import signals

RATE = 44100


def audio(seconds: float, seed: int = 1, rate: int = RATE) -> Audio:
    return Audio(0.3 * signals.music(seconds, rate, seed)[0], rate)


def numbered(seconds: float, rate: int = STYLE_RATE) -> torch.Tensor:
    """(1, 2, time): a ramp, so that a window's first sample tells where it was taken; never near zero."""
    return torch.linspace(0.5, 1.0, round(seconds * rate)).expand(1, 2, -1).clone()


@pytest.fixture(scope="module")
def music_style() -> Style:
    return style_of(audio(8.0))


# --- windows


def starts_s(windows: torch.Tensor, seconds: float) -> list[float]:
    return [(float(first) - 0.5) / 0.5 * seconds for first in windows[:, 0, 0]]


def test_windows_overlap_by_half_and_reach_both_ends():
    seconds = 14.0
    windows = windows_of(Held(numbered(seconds), STYLE_RATE))
    found = starts_s(windows, seconds)
    assert windows.shape[1:] == (2, STYLE_WINDOW)
    assert found[0] == pytest.approx(0, abs=1e-3)
    assert found[-1] == pytest.approx(seconds - STYLE_WINDOW / STYLE_RATE, abs=1e-3)
    gaps = np.diff(found)
    assert gaps.max() <= 0.75 * STYLE_WINDOW / STYLE_RATE and np.ptp(gaps) < 1e-2


def test_a_long_sound_is_heard_in_a_few_places_spread_over_all_of_it():
    seconds = 120.0
    found = starts_s(windows_of(Held(numbered(seconds, 8000), 8000)), seconds)
    assert len(found) == MOST_WINDOWS
    assert found[0] < 0.1 and found[-1] > seconds - 5.6


def test_what_is_far_below_the_music_is_not_listened_to():
    x = numbered(24.0)
    x[..., : 12 * STYLE_RATE] *= 10 ** (-30 / 20)
    loud = windows_of(Held(x, STYLE_RATE))
    # a window that is half music stands 3 dB below a whole one: inside the gate
    assert all(float(window.abs().amax()) > 0.5 for window in loud) and 4 <= len(loud) <= 8


def test_a_short_sound_is_heard_as_it_is_and_mono_has_two_equal_sides():
    x = signals.music(3.0, STYLE_RATE)[:, :1]
    window = windows_of(Held(x, STYLE_RATE))
    assert torch.equal(window, x.float().expand(-1, 2, -1))


def test_a_very_short_sound_is_heard_to_and_fro():
    x = signals.music(0.7, STYLE_RATE)
    window, length = windows_of(Held(x, STYLE_RATE))[0], x.shape[-1]
    assert window.shape == (2, 2 * STYLE_RATE)
    assert torch.equal(window[:, :length], x[0].float())
    assert torch.equal(window[:, length : 2 * length], x[0].float().flip(-1))
    assert torch.equal(window[:, 2 * length :], x[0, :, : 2 * STYLE_RATE - 2 * length].float())


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (torch.zeros(2, 2 * RATE), "silent"),
        (1e-6 * signals.music(2.0)[0], "silent"),
        (signals.music(0.3)[0], r"0\.30 s long; a style takes at least 0\.5 s"),
        (torch.zeros(2, 0), "0.00 s long"),
        (torch.full((2, RATE), math.nan), "NaN"),
    ],
)
def test_what_has_no_style_is_refused_in_one_line(x, said):
    with pytest.raises(InputError, match=said) as refused:
        dm.embed_style(Audio(x, RATE))
    assert "\n" not in str(refused.value)


# --- embeddings


def test_an_embedding_is_one_unit_vector_mid_then_side(music_style):
    vector = dm.embed_style(audio(8.0))
    assert vector.shape == (style_encoder().size,) and vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-6)
    assert np.array_equal(vector, music_style.embedding)
    mid, side = halves(vector)
    assert len(mid) == style_encoder().mid_size and len(mid) + len(side) == len(vector)


def test_gain_is_not_heard_and_the_way_in_makes_no_difference(tmp_path, music_style):
    softer = audio(8.0).with_samples(0.5 * audio(8.0).samples)
    path = write_audio(softer, tmp_path / "take.wav", bit_depth="32f")
    assert cosine(dm.embed_style(path), music_style.embedding) > 0.9999
    assert cosine(dm.embed_style(str(path)), dm.embed_style(Held(audio(8.0).samples, RATE))) > 0.9999


def test_the_meters_words_come_along(music_style):
    measured = dm.measure(audio(8.0)).targets
    for field in ("band_bass_db", "band_air_db", "width_mid_db"):
        assert music_style.heard[field] == pytest.approx(measured[field], abs=1.0)
    assert "loudness_range_lu" not in music_style.heard and "loudness_lufs" not in music_style.heard


def test_several_sources_weigh_the_same_whatever_their_length(tmp_path):
    long, short = style_of(audio(20.0, 1)), style_of(Audio(signals.noise(3.0)[0], RATE))
    both = style_of([long, short])
    assert np.allclose(both.embedding, unit(long.embedding + short.embedding), atol=1e-6)
    assert [source.windows for source in both.sources] == [
        long.windows,
        1,
    ] and both.windows == long.windows + 1
    assert both.spread > max(long.spread, short.spread)
    assert both.heard["band_air_db"] == pytest.approx(
        (long.heard["band_air_db"] + short.heard["band_air_db"]) / 2
    )
    assert both.name == "audio and 1 more"


def test_the_spread_of_a_mean_is_that_of_all_its_windows():
    generator = np.random.default_rng(0)
    clouds = [np.stack([unit(row) for row in generator.normal(c, 0.3, (5, 16))]) for c in (1.0, -0.2)]
    styles = []
    for rows in clouds:
        middle = unit(rows.mean(0))
        styles.append(Style(middle, float(1 - (rows @ middle).mean()), 5, "e"))
    both = mean_style(styles)
    mean = np.mean([rows @ both.embedding for rows in clouds])
    assert both.spread == pytest.approx(1 - mean, abs=1e-5)


# --- files


def told(style: Style) -> dict:
    return {
        "format": FORMAT, "encoder": style.encoder, "spread": style.spread, "windows": style.windows,
        "sources": [vars(source) for source in style.sources], "heard": dict(style.heard),
        "embedding": [float(value) for value in style.embedding],
    }  # fmt: skip


def test_a_style_comes_back_as_it_was_written(tmp_path, music_style):
    read = read_style(write_style(music_style, tmp_path / "a.style"))
    # seven decimals a number; float32's unit vectors are no nearer to length 1 than 1e-7
    np.testing.assert_allclose(read.embedding, music_style.embedding, atol=1.2e-7)
    assert read.sources == music_style.sources and read.windows == music_style.windows
    assert read.heard == pytest.approx(dict(music_style.heard), abs=1e-3)
    assert read.spread == pytest.approx(music_style.spread, abs=1e-6)
    assert style_of(tmp_path / "a.style").similarity(read) == pytest.approx(1.0, abs=1e-6)


def test_the_source_s_hash_is_of_its_file(tmp_path):
    import hashlib

    path = write_audio(audio(2.0), tmp_path / "take.flac")
    assert style_of(path).sources == (
        StyleSource("take.flac", hashlib.sha256(path.read_bytes()).hexdigest(), 2.0, 1),
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"encoder": "feedfeedfeed"}, r"another encoder \(feedfeedfeed; this one is \w+\).* again"),
        ({"format": "daiw-master style 9"}, "'daiw-master style 9'"),
        ({"embedding": []}, "damaged"),
        ({"embedding": [1.0, 1.0]}, "damaged.*direction"),
        ({"embedding": ["loud"]}, "damaged"),
        ({"embedding": [math.nan]}, "damaged"),
        ({"sources": [{"nome": "x"}]}, "damaged"),
        ({"sources": 3}, "damaged"),
        ({"heard": None}, "damaged"),
        ({"spread": None}, "damaged"),
        ({"spread": "wide"}, "damaged"),
    ],
)
def test_a_style_that_cannot_be_used_is_refused_in_one_line(tmp_path, music_style, change, said):
    path = tmp_path / "bad.style"
    path.write_text(json.dumps({**told(music_style), **change}))
    with pytest.raises(InputError, match=said) as refused:
        style_of(path)
    assert "bad.style" in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["", "no json", "[]", "3", "{}", "\xff\x00"])
def test_what_is_no_style_is_refused(tmp_path, text):
    path = tmp_path / "bad.style"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match="not a style file"):
        read_style(path)


def test_missing_large_and_folders_are_refused(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        read_style(tmp_path / "none.style")
    (tmp_path / "folder.style").mkdir()
    with pytest.raises(InputError, match="folder.style: "):
        read_style(tmp_path / "folder.style")
    (tmp_path / "large.style").write_bytes(b"[" * (5 << 20))
    with pytest.raises(InputError, match="too large"):
        read_style(tmp_path / "large.style")


def test_an_old_style_stays_where_a_new_one_cannot_be_written(tmp_path, music_style):
    with pytest.raises(WriteError):
        write_style(music_style, tmp_path / "nowhere" / "a.style")


def test_a_style_of_another_encoder_is_not_mixed_in(music_style):
    with pytest.raises(InputError, match="another encoder"):
        style_of([Style(music_style.embedding, 0.1, 1, "feedfeedfeed")])


def test_an_encoder_without_a_file_is_named_by_its_numbers():
    one, same, other = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    same.load_state_dict(one.state_dict())
    for module in (one, same, other):
        module.digest = ""
    assert encoder_digest(one) == encoder_digest(same) != encoder_digest(other)
