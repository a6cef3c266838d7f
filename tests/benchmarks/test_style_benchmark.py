"""The style benchmark from end to end on a few made-up works: drawn, heard once, scored, told."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from benchmarks.style import cache, fits, retrieval_scores, zero_shot, zero_shot_scores
from benchmarks.style.__main__ import main
from benchmarks.style.clips import CLIP, RATE, Clip, Shelf
from benchmarks.style.methods import Method, embedded, methods, unit
from benchmarks.style.retrieval import CANDIDATES, Retrieval
from benchmarks.style.styles import RENDERED, STYLES, WARMS
from daiw_master.audio import Audio
from daiw_master.files import write_audio

WORKS = 7


def work(number: int) -> np.ndarray:
    """(2, CLIP) int16: noise in one of seven beats and colours, as loud as a clip must be."""
    rng = np.random.default_rng(number)
    spectrum = np.fft.rfft(rng.standard_normal((2, CLIP)))
    spectrum /= np.maximum(np.fft.rfftfreq(CLIP, 1 / RATE), 30) ** (0.4 + 0.05 * number)
    x = np.fft.irfft(spectrum) * (0.3 + np.exp(-4 * (np.arange(CLIP) / RATE % (0.3 + 0.05 * number))))
    return np.round(x / np.abs(x).max() * 32000).astype(np.int16)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory) -> Shelf:
    path = tmp_path_factory.mktemp("clips") / "clips.npy"
    np.save(path, np.stack([work(number) for number in range(WORKS)]))
    return Shelf(path, tuple(Clip(f"clip {i}", f"work {i}") for i in range(WORKS)))


def test_zero_shot_from_clips_to_table(shelf, tmp_path):
    trials = zero_shot.draw(shelf, "audio", "own", trials=14)
    told = []
    heard = cache.features(trials, lambda: shelf, ["mfcc"], tmp_path, processes=1, say=told.append)
    assert heard["mfcc"].shape == (WORKS * len(RENDERED), 75) and told
    # what was heard once is not asked for again
    again = cache.features(trials, pytest.fail, ["mfcc"], tmp_path)
    assert np.array_equal(again["mfcc"], heard["mfcc"])

    columns = [method for method in methods(None, [], {}) if method.feature == "mfcc"]
    columns.insert(0, Method("ours", "ours", "mfcc", columns[0].embed, "ours"))
    scores = zero_shot_scores.scored(trials, columns, heard, {})
    ours = scores["methods"]["ours"]
    # five styles this far apart on noise: MFCC tell most of them
    assert ours["accuracy"] > 0.6 and ours["recall"]["telephone"] == 1
    assert ours["interval"][0] < ours["accuracy"] < ours["interval"][1]
    assert scores["against"]["mfcc"]["difference"] == 0 and scores["trials"] == 14 * 5 * 2
    for row in ours["confusion"].values():
        assert sum(row.values()) == pytest.approx(1)
    table = zero_shot_scores.table(scores, columns)
    assert "140 trials" in table.title and len(table.rows) == len(columns) + 1
    assert all(len(row) == len(table.heads) for row in table.rows)
    assert table.markdown().count("|---") == len(table.heads)


def test_answers_follow_the_embeddings(shelf):
    """Embeddings that are the style: always right. One silent sound: its trials do not count."""
    trials = zero_shot.draw(shelf, "audio", "own", trials=7)
    vectors = np.tile(np.eye(len(RENDERED)), (WORKS, 1))
    for warm in WARMS:
        for shots in (1, 5):
            assert (trials.answers(vectors, warm, shots) == np.arange(len(STYLES))).all()
    vectors[0] = np.nan  # the first clip as neutral
    answers = trials.answers(vectors, "intended")
    touched = [0 in (row[0], row[1]) for row in trials.body["trials"]]
    assert ((answers == -1).any(1) == touched).all()


def test_a_changed_feature_is_heard_again(shelf, tmp_path, monkeypatch):
    trials = zero_shot.draw(shelf, "audio", "own", trials=1, most_clips=6)
    body = {key: value[:1] for key, value in trials.body["settings"].items()}
    trials = zero_shot.ZeroShot(
        "audio", "own", 5, trials.clips[:1], trials.digests[:1], {"settings": body, "trials": []}
    )
    first = cache.features(trials, lambda: shelf, ["log_mel"], tmp_path, processes=1)["log_mel"]
    from benchmarks.style.features import FEATURES

    before = FEATURES["log_mel"]
    monkeypatch.setitem(FEATURES, "log_mel", lambda heard: before(heard) + 3)
    cache._probed.cache_clear()
    second = cache.features(trials, lambda: shelf, ["log_mel"], tmp_path, processes=1)["log_mel"]
    cache._probed.cache_clear()
    assert second == pytest.approx(first + 3)


def test_retrieval_scores_follow_the_embeddings(shelf):
    chains = [[f"Bitcrush{i % 4}" for i in range(CANDIDATES)] for _ in range(2)]
    rows = [["uniform", n, 0, 1, own] for n, own in zip((1, 2), chains, strict=True)]
    trials = Retrieval("audio", "own", 5, shelf.clips, ("",) * WORKS, {"examples": rows})
    rng = np.random.default_rng(0)
    vectors = unit(rng.standard_normal((2, 1 + CANDIDATES, 8)))
    vectors[0, 1] = vectors[0, 0]  # found at once
    vectors[1, 1] = -vectors[1, 0]  # farthest of all
    method = Method("ours", "ours", "x", lambda x: x, "ours")
    told = retrieval_scores.scored(trials, [method], {"x": vectors.reshape(-1, 8)})
    part = told["variants"]["uniform"]
    assert part["methods"]["ours"]["by_length"]["1"]["mrr"] == 1
    assert part["methods"]["ours"]["by_length"]["2"]["mrr"] == pytest.approx(1 / 25)
    assert part["methods"]["ours"]["mrr"] == pytest.approx(0.52)
    assert part["methods"]["ours"]["accuracy"] == [0.5] * 24
    table = retrieval_scores.table(told, "uniform", [method])
    assert all(len(row) == len(table.heads) for row in table.rows)


def test_what_is_learnt(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(6), 40)
    centres = rng.standard_normal((6, 4))
    x = np.hstack([centres[labels] + 0.1 * rng.standard_normal((240, 4)), 10 * rng.standard_normal((240, 6))])
    white = fits.whitening(x, 3)
    assert np.cov(white(x), rowvar=False) == pytest.approx(np.eye(3), abs=0.05)
    found = fits.discriminants(x, labels, 4)
    near = found(x)
    spread = np.stack([near[labels == label].std(0) for label in range(6)]).mean(0)
    assert (spread < 0.5 * near.std(0)).all()  # labels stand apart, whatever the loud noise does
    told = fits.classifier(x, labels)
    assert (told(x).argmax(1) == labels).mean() > 0.95
    fits.write(tmp_path / "fits.npz", {"a": white, "b": told})
    again = fits.read(tmp_path / "fits.npz")
    assert again["a"](x) == pytest.approx(white(x), abs=0.02)
    assert (again["b"](x).argmax(1) == told(x).argmax(1)).all()


def test_silent_sounds_have_no_embedding():
    method = Method("mfcc", "MFCC", "mfcc", unit)
    vectors = embedded(method, {"mfcc": np.array([[3.0, 4.0], [np.nan, np.nan]])})
    assert vectors[0].tolist() == [0.6, 0.8] and np.isnan(vectors[1]).all()


def test_trials_from_a_folder_of_ones_own(tmp_path, capsys):
    """`zero-shot --audio FOLDER`: the whole command on six files."""
    folder = tmp_path / "songs"
    folder.mkdir()
    for number in range(6):
        samples = torch.from_numpy(work(number).astype(np.float32) / 32768)
        write_audio(Audio(samples, RATE), folder / f"song {number}.wav", bit_depth=16)
    out = tmp_path / "scores.json"
    words = ["zero-shot", "--audio", str(folder), "--data", str(tmp_path), "--processes", "1"]
    assert main([*words, "--no-baselines", "--json", str(out), "--keep", str(tmp_path / "kept")]) == 0
    assert "4000 trials, 6 clips of 6 works" in capsys.readouterr().out
    told = json.loads(out.read_text(encoding="utf-8"))["zero-shot"]["audio"]
    assert 0.2 < told["methods"]["ours"]["accuracy"] <= 1
    kept = zero_shot.ZeroShot.read(tmp_path / "kept" / "zero-shot-audio-own.json")
    assert kept.faults() == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "commands: zero-shot"),
        (["zero"], "commands: zero-shot"),
        (["zero-shot", "--domains", "midi,song"], "unknown domain 'song'"),
        (["zero-shot", "--audio", "no such folder"], "holds no audio files"),
        (["retrieval", "--weights", "none.safetensors"], "none.safetensors"),
    ],
)
def test_refusals_are_one_line(words, said, capsys):
    assert main(words) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
