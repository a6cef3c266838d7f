"""Pairs of the transfer benchmark, and the whole way from a shelf of clips to its tables."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks.style import transfer, transfer_methods, transfer_tables
from benchmarks.style.clips import CLIP, RATE, WINDOW, Clip, Shelf
from benchmarks.style.transfer_chains import CHAINS
from benchmarks.style.transfer_scores import SCORES, scores
from benchmarks.style.transfer_trials import EXCERPTS, Transfer, at_dry_level, draw
from daiw_master.meters.loudness import integrated_loudness
from daiw_master.neural.descriptor import describe
from daiw_master.neural.guess import Guesser
from daiw_master.neural.weights_file import write_weights
from daiw_master.refine.ito.general import KNOBS, STAGE_NAMES
from daiw_master.refine.ito.transfer import Recipe


@pytest.fixture(scope="module")
def shelf(tmp_path_factory) -> Shelf:
    """Six clips of three works: plucked tones, every work in its own register."""
    time = np.arange(CLIP) / RATE
    rng = np.random.default_rng(3)
    rows = []
    for i in range(6):
        hz = 90.0 * 2 ** (i // 2) * (1 + 0.06 * (i % 2))
        pluck = np.exp(-5 * np.remainder(time + 0.1 * i, 0.4))
        tone = sum(np.sin(6.2832 * hz * n * time) / n for n in range(1, 12))
        rows.append(pluck * (0.1 * tone + 0.02 * rng.standard_normal((2, CLIP))))
    path = tmp_path_factory.mktemp("shelf") / "clips.npy"
    np.save(path, np.round(np.stack(rows) * 32767 / 0.6).astype(np.int16))
    return Shelf(path, tuple(Clip(f"clip {i}", f"work {i // 2}") for i in range(6)))


def test_a_draw_is_valid_balanced_and_repeats(shelf):
    drawn = [draw(shelf, "midi", "own", trials=12, seed=seed) for seed in (1, 1, 2)]
    assert drawn[0].faults() == [] and drawn[0].text() == drawn[1].text() != drawn[2].text()
    assert {chain: drawn[0].chains().count(chain) for chain in CHAINS} == dict.fromkeys(CHAINS, 2)
    assert all(1 <= len(row[2]) <= EXCERPTS for row in drawn[0].body["trials"])


def test_faults_are_found(shelf):
    trials = draw(shelf, "midi", "own", trials=2, seed=1)
    trials.body["trials"][0][1] = trials.body["trials"][0][2][0]
    trials.body["trials"][1][0] = "chorus"
    first, second = trials.faults()
    assert "same work" in first and "chorus" in second
    with pytest.raises(ValueError, match="two"):
        draw(Shelf(shelf.path, shelf.clips[:2]), "midi", "own")


def test_a_pair_is_the_same_chain_on_two_pieces(shelf, tmp_path):
    trials = Transfer.read(draw(shelf, "midi", "own", trials=2, seed=1).write(tmp_path))
    pair = trials.pair(0, shelf)
    assert pair.dry.shape == pair.truth.shape == (2, WINDOW)
    assert pair.reference.shape == (2, WINDOW * len(trials.body["trials"][0][2]))
    loudness = [float(integrated_loudness(x[None], RATE)) for x in (pair.dry, pair.reference)]
    assert loudness[0] == pytest.approx(-20, abs=0.1) and -18.1 < loudness[1] < -11.9
    assert scores(pair.dry, pair.truth)["mr_stft"] > 0.1, "the chain does something"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_from_a_shelf_to_the_tables(shelf, tmp_path):
    trials = draw(shelf, "midi", "own", trials=1, seed=1)
    torch.manual_seed(0)
    inputs = describe(torch.zeros(1, 2, WINDOW)).shape[-1]
    guess = Guesser(inputs, list(STAGE_NAMES), [knob.name for knob in KNOBS], hidden=8)
    write_weights(guess, tmp_path / "guess.safetensors", {})
    # both lists are searched: one of them may be of no stage at all, where nothing moves
    small = Recipe(lists=2, searched=2, popsize=4, generations=1)
    budget = transfer_methods.Budget(
        recipe=small, es_popsize=4, es_generations=1, guess_weights=tmp_path / "guess.safetensors"
    )
    names = transfer_methods.available()
    told = {name: transfer.rows(trials, lambda: shelf, name, [0], budget, tmp_path) for name in names}
    assert set(told) >= {"input", "random", "rules", "ES 31-d", "ours", "oracle"}
    assert all(told["oracle"][0][score] == 0.0 for score in SCORES)
    assert all(np.isfinite(rows[0][score]) for rows in told.values() for score in SCORES)
    assert told["ours"][0]["heard"] > 2 and told["ES 31-d"][0]["heard"] == 4

    def lost() -> Shelf:
        raise AssertionError("what was made is not made again")

    assert transfer.rows(trials, lost, "ours", [0], budget, tmp_path) == told["ours"]
    with pytest.raises(AssertionError):
        transfer.rows(trials, lost, "ours", [0], replace(budget, es_popsize=5), tmp_path)
    wide = transfer_tables.overall(told, trials.name).screen()
    assert "ours against rules" in wide and "MR-STFT" in wide
    chains = transfer_tables.by_chain(told, trials.chains(), trials.name)
    assert len(chains.rows) == 4 and chains.rows[0][0] == "lowpass, MR-STFT"


def test_dry_level(shelf):
    x = at_dry_level(shelf.load("clip 0") * 0.01)
    assert float(integrated_loudness(x[None], RATE)) == pytest.approx(-20, abs=0.05)
