"""The guesser: what its labels mean, that it learns, and that its file is its own."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from daiw_master.errors import InputError
from daiw_master.neural.encoder import STYLE_WINDOW
from daiw_master.neural.guess import Guesser, guesser
from daiw_master.neural.weights_file import write_weights
from daiw_master.refine.ito.general import KNOBS, STAGE_NAMES, STAGES
from daiw_master.training.guess import examples, fit, varied

NAMES = [knob.name for knob in KNOBS]


def test_labels_say_what_can_be_heard():
    settings = {
        "low_shelf.cutoff_frequency_hz": 100.0, "low_shelf.gain_db": 7.5,
        "peak.cutoff_frequency_hz": 1000.0, "peak.gain_db": 0.0, "peak.q": 1.0,
        "delay.delay_s": 0.2, "delay.feedback": 0.35, "delay.mix": 0.34,
    }  # fmt: skip
    there, places = fit.labels(settings)
    assert dict(zip(STAGE_NAMES, there, strict=True)) == {
        name: float(name in ("eq", "delay")) for name in STAGE_NAMES
    }
    at = dict(zip(NAMES, places, strict=True))
    assert at["low_shelf.gain_db"] == pytest.approx(0.75) and at["peak.gain_db"] == pytest.approx(0.5)
    assert np.isnan(at["high_shelf.gain_db"]), "a band of an equaliser that is not there is not asked for"
    assert np.isnan(at["peak.cutoff_frequency_hz"]) and np.isnan(at["peak.q"]), "a flat band stands nowhere"
    assert at["low_shelf.cutoff_frequency_hz"] == pytest.approx(np.log(100 / 60) / np.log(500 / 60), abs=1e-5)
    assert at["delay.feedback"] == pytest.approx(0.5) and np.isnan(at["reverb.damping"])


def test_drawn_settings_are_in_range_and_of_whole_stages():
    rng = np.random.default_rng(5)
    counts = []
    for _ in range(200):
        settings = examples.draw(rng)
        counts.append(sum(any(knob.name in settings for knob in stage.knobs) for stage in STAGES))
        for knob in KNOBS:
            if knob.name in settings:
                knob.check(settings[knob.name])
    assert min(counts) == 0 and max(counts) >= 5 and 40 <= counts.count(1) <= 90


class Shelf:
    """Contents of one domain: noise."""

    domain = "midi"
    groups = {"a": [0], "b": [1]}  # noqa: RUF012

    def clip(self, index: int) -> np.ndarray:
        return noise(index)


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((2, 288_000)).astype(np.float32) * 0.1


@pytest.mark.parametrize("kind", examples.KINDS, ids=lambda kind: kind.folder)
def test_an_example_follows_from_its_number(kind):
    (told, settings), (again, same), (_, other) = (examples.example(kind, [Shelf()], 3, n) for n in (7, 7, 8))
    assert np.array_equal(told, again) and settings == same != other
    assert told.dtype == np.float16 and np.isfinite(told).all()


def test_space_is_taken_away_nearly_as_it_came():
    settings = {
        "peak.gain_db": 3.0, "reverb.room_size": 0.5, "reverb.damping": 0.4, "reverb.wet_level": 0.3,
        "reverb.width": 0.8, "reverb.dry_level": 0.5,
    }  # fmt: skip
    dry = noise(3)
    room = {name: value for name, value in settings.items() if name.startswith("reverb.")}
    roomy = examples.played(room, dry)[:, -STYLE_WINDOW:]
    dry = torch.from_numpy(dry[:, -STYLE_WINDOW:])
    left, removed = [], 0
    for seed in range(12):
        made, told = examples.without_its_space(
            torch.from_numpy(roomy)[None], settings, np.random.default_rng(seed)
        )
        assert told in (settings, {"peak.gain_db": 3.0})
        if told == {"peak.gain_db": 3.0}:
            removed += 1
            left.append(float((made[0] - dry).norm() / (torch.from_numpy(roomy) - dry).norm()))
        else:
            assert torch.equal(made, torch.from_numpy(roomy)[None])
    assert 5 <= removed < 12, "most of them, not all"
    assert min(left) < 0.9 and len(set(left)) == removed, "nearly right, and each time a little off"


def test_varied_clips_are_as_long_and_end_like_walls():
    rng = np.random.default_rng(2)
    clip = noise(1)
    made = [varied.aged(varied.transposed(clip, rng), rng) for _ in range(40)]
    assert all(one.shape == clip.shape and one.dtype == np.float32 for one in made)
    assert 3 <= sum(one is clip for one in made) <= 25
    power = np.stack([np.square(np.abs(np.fft.rfft(one[0]))) for one in made])
    top = power[:, 144_000 * 15 // 24 : 144_000 * 17 // 24].mean(-1)  # 15 to 17 kHz
    middle = power[:, 144_000 // 24 : 144_000 * 2 // 24].mean(-1)
    assert 5 <= (top < 0.01 * middle).sum() <= 20, "some have no highs left"
    quiet = varied.together(clip, noise(2), 20.0) - clip
    assert np.square(quiet).mean() == pytest.approx(0.01 * np.square(clip).mean(), rel=1e-3)


def test_a_transposed_clip_sounds_at_another_pitch():
    time = np.arange(288_000) / 48_000
    tone = np.tile(np.sin(2 * np.pi * 1000 * time), (2, 1)).astype(np.float32)
    rng = np.random.default_rng(4)
    heights = [int(np.abs(np.fft.rfft(varied.transposed(tone, rng)[0])).argmax()) / 6 for _ in range(30)]
    assert min(heights) < 950 and max(heights) > 1050
    assert all(1000 / 1.2 < hz < 1000 * 1.2 for hz in heights)


def test_knobs_are_learnt_where_no_stage_is_asked():
    told = (torch.zeros(3, 2), torch.full((3, 2), 0.4), torch.zeros(3, 2))
    there = torch.tensor([[1.0, 0.0], [np.nan, np.nan], [0.0, 1.0]])
    places = torch.tensor([[0.5, np.nan], [0.5, 0.2], [np.nan, np.nan]])
    stages = fit.STAGE_WEIGHT * np.log(2)
    knobs = 0.5 * (0.01 + 0.01 + 0.04) / 3 / fit.NO_NEWS
    assert float(fit.loss(told, there, places)) == pytest.approx(stages + knobs, rel=1e-5)
    nothing = torch.full((3, 2), np.nan)
    assert float(fit.loss(told, nothing, nothing)) == 0.0


def test_it_learns_and_its_file_comes_back(tmp_path):
    rng = np.random.default_rng(1)
    features = rng.standard_normal((600, 12)).astype(np.float32)
    there = (features[:, :7] > 0).astype(np.float32)
    learnt = there.copy()
    learnt[::3] = np.nan
    places = np.full((600, len(KNOBS)), np.nan, np.float32)
    places[:, 0] = 0.5 + 0.1 * features[:, 8]
    made = fit.fit(features, learnt, places, steps=300, hidden=64)
    short = [fit.fit(features, there, places, steps=3, hidden=8) for _ in range(2)]
    with torch.no_grad():
        odds, place, _ = made.head(torch.from_numpy(features))
        one, two = (guess.head(torch.from_numpy(features))[0] for guess in short)
    assert torch.equal(one, two), "the same for the same seed"
    assert ((odds > 0).numpy() == there).mean() > 0.8
    assert np.corrcoef(place[:, 0].numpy(), places[:, 0])[0, 1] > 0.7
    assert "variance told: highpass" in fit.told_of(made, features, learnt, places)
    path = tmp_path / "guess.safetensors"
    write_weights(made, path, {"made of": "noise"})
    read = guesser(path)
    assert read.stages == STAGE_NAMES and read.knobs == tuple(NAMES)
    with torch.no_grad():
        assert torch.allclose(read.head(torch.from_numpy(features))[0], odds, atol=0.05)


def test_another_file_is_refused_in_words(tmp_path):
    path = tmp_path / "none.safetensors"
    path.write_bytes(b"no weights")
    with pytest.raises(InputError, match="no guesser"):
        guesser(path)
    made = Guesser(4, ["eq"], ["peak.gain_db"], hidden=4)
    made.shape["hidden"] = 5
    write_weights(made, path, {})
    with pytest.raises(InputError, match="guesser"):
        guesser(path)
