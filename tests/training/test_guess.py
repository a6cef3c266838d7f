"""The guesser: what its labels mean, that it learns, and that its file is its own."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from daiw_master.errors import InputError
from daiw_master.neural.guess import Guesser, guesser
from daiw_master.neural.weights_file import write_weights
from daiw_master.refine.ito.general import KNOBS, STAGE_NAMES, STAGES
from daiw_master.training.guess import examples, fit

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
    assert at["low_shelf.gain_db"] == pytest.approx(0.75) and at["high_shelf.gain_db"] == pytest.approx(0.5)
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


def test_an_example_follows_from_its_number():
    class Store:
        domain = "midi"
        groups = {"a": [0], "b": [1]}

        def clip(self, index: int) -> np.ndarray:
            return np.random.default_rng(index).standard_normal((2, 288_000)).astype(np.float32) * 0.1

    (told, settings), (again, same), (_, other) = (examples.example([Store()], 3, n) for n in (7, 7, 8))
    assert np.array_equal(told, again) and settings == same != other
    assert told.dtype == np.float16 and np.isfinite(told).all()


def test_it_learns_and_its_file_comes_back(tmp_path):
    rng = np.random.default_rng(1)
    features = rng.standard_normal((600, 12)).astype(np.float32)
    there = (features[:, :7] > 0).astype(np.float32)
    places = np.full((600, len(KNOBS)), np.nan, np.float32)
    places[:, 0] = 0.5 + 0.1 * features[:, 8]
    made = fit.fit(features, there, places, steps=300, hidden=64)
    short = [fit.fit(features, there, places, steps=3, hidden=8) for _ in range(2)]
    with torch.no_grad():
        odds, place, _ = made.head(torch.from_numpy(features))
        one, two = (guess.head(torch.from_numpy(features))[0] for guess in short)
    assert torch.equal(one, two), "the same for the same seed"
    assert ((odds > 0).numpy() == there).mean() > 0.8
    assert np.corrcoef(place[:, 0].numpy(), places[:, 0])[0, 1] > 0.7
    assert "variance told: highpass" in fit.told_of(made, features, there, places)
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
