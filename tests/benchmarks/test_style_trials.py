"""Frozen and drawn trials: no work on both sides, no distractor that is right, every setting in its range."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.style import (
    parameters,
    parameters_scores,
    rehearsed,
    retrieval,
    styles,
    zero_shot,
)
from benchmarks.style.clips import CLIP, RATE, WARM_UP, WINDOW, Clip, Shelf
from benchmarks.style.effects import DISCRETE, chain_of, play, spelled
from benchmarks.style.methods import Method, unit
from benchmarks.style.parameters import KNOBS, Parameters, Vst3Parameters, by_grid, by_search
from benchmarks.style.retrieval import ExactRetrieval, Retrieval
from benchmarks.style.transfer_trials import Transfer
from benchmarks.style.trial_list import FOLDER, TrialList
from benchmarks.style.zero_shot import ZeroShot
from daiw_master.neural.encoder import style_encoder

#: Longer names first: they begin like the others.
KINDS = {
    kind.kind: kind for kind in (ZeroShot, ExactRetrieval, Retrieval, Vst3Parameters, Parameters, Transfer)
}
FROZEN = sorted({path for kind in KINDS for path in FOLDER.glob(f"{kind}-*.json")})


def read(path: Path) -> TrialList:
    kind = next(kind for name, kind in KINDS.items() if path.name.startswith(name))
    return kind.read(path)


@pytest.fixture
def shelf(tmp_path) -> Shelf:
    """Twelve clips of eight works; what they sound like does not matter here."""
    path = tmp_path / "clips.npy"
    np.save(path, np.arange(12 * 2 * 8, dtype=np.int16).reshape(12, 2, 8))
    return Shelf(path, tuple(Clip(f"clip {i}", f"work {i % 8}") for i in range(12)))


@pytest.mark.parametrize("path", FROZEN, ids=lambda path: path.stem)
def test_frozen_lists_hold_what_they_promise(path):
    trials = read(path)
    assert trials.faults() == []
    assert trials.text() == path.read_text(encoding="utf-8")
    assert trials.name == path.stem


def test_there_are_frozen_lists_of_both_sides():
    stems = {path.stem for path in FROZEN}
    for split in ("dev", "test"):
        for domain in ("midi", "audio", "speech"):
            assert f"zero-shot-{domain}-{split}" in stems
        assert f"retrieval-midi-{split}" in stems


@pytest.mark.parametrize("domain", ["midi", "audio", "speech"])
def test_dev_and_test_share_no_work(domain):
    sides = [read(FOLDER / f"zero-shot-{domain}-{split}.json") for split in ("dev", "test")]
    dev, test = ({clip.work for clip in side.clips} for side in sides)
    assert not dev & test


def test_a_draw_is_valid_and_repeats(shelf):
    drawn = [zero_shot.draw(shelf, "midi", "own", trials=30, seed=seed) for seed in (1, 1, 2)]
    assert drawn[0].faults() == []
    assert drawn[0].text() == drawn[1].text() != drawn[2].text()
    assert len(drawn[0].jobs()) == 12 * len(styles.RENDERED)
    queries = [drawn[0].clips[row[0]].work for row in drawn[0].body["trials"]]
    assert set(queries) == {f"work {i}" for i in range(8)}  # every work is asked before any is asked again


def test_faults_are_found(shelf):
    trials = zero_shot.draw(shelf, "midi", "own", trials=3)
    trials.body["trials"][1][1] = trials.body["trials"][1][0]
    assert any(fault.startswith("trial 1:") for fault in trials.faults())
    examples = retrieval.draw(shelf, "midi", "own", examples=1)
    examples.body["examples"][0][4][3] = examples.body["examples"][0][4][0]
    assert examples.faults() == ["example 0: a distractor has the reference's chain"]


def test_six_works_or_none(shelf):
    few = Shelf(shelf.path, shelf.clips[:5])
    with pytest.raises(ValueError, match="need 6"):
        zero_shot.draw(few, "midi", "own")


def test_lists_travel_as_json(shelf, tmp_path):
    for module, kind in ((zero_shot, ZeroShot), (retrieval, Retrieval), (parameters, Parameters)):
        trials = module.draw(shelf, "midi", "own")
        again = kind.read(trials.write(tmp_path))
        assert again.text() == trials.text() and again.jobs() == trials.jobs()
        assert again.changed(shelf) == []
    with pytest.raises(ValueError, match="parameters trials"):
        ZeroShot.read(tmp_path / "parameters-midi-own.json")


def test_changed_clips_are_named(shelf, tmp_path):
    trials = zero_shot.draw(shelf, "midi", "own")
    samples = np.load(shelf.path)
    samples[3] += 1
    np.save(tmp_path / "other.npy", samples)
    assert trials.changed(Shelf(tmp_path / "other.npy", shelf.clips)) == ["clip 3"]


def test_retrieval_draws_one_to_n_or_n(shelf):
    sizes = {}
    for exact in (False, True):
        trials = retrieval.draw(shelf, "midi", "own", examples=6, exact=exact)
        assert trials.faults() == []
        for variant, length, _, _, chains in trials.body["examples"]:
            sizes.setdefault((variant, length), set()).update(len(chain_of(chain)) for chain in chains)
    assert sizes["exact", 4] == {4} and sizes["uniform", 4] == {1, 2, 3, 4}


def test_spelling_of_chains():
    chain = [("Delay", [2, 3, 1]), ("Bitcrush", [0])]
    assert spelled(chain) == "Delay231+Bitcrush0"
    assert chain_of("Delay231+Bitcrush0") == [
        ("Delay", {"delay_seconds": 0.1, "feedback": 0.6, "mix": 0.6}),
        ("Bitcrush", {"bit_depth": 4.0}),
    ]
    for wrong in ("Delay23", "Echo1", "delay 1"):
        with pytest.raises(ValueError, match="no stage"):
            chain_of(wrong)


@pytest.mark.parametrize("style", styles.RENDERED)
def test_styles_stay_in_their_ranges(style):
    rng = np.random.default_rng(0)
    for _ in range(50):
        values = styles.draw(style, rng)
        for value, (low, high), field in zip(values, styles.RANGES[style], styles.FIELDS, strict=True):
            assert low <= value <= high, field
    level_db, stages = styles.chain(values)
    assert -9 <= level_db <= -3
    assert ("Compressor" in dict(stages)) == (style in ("neutral", "broadcast", "telephone"))


def test_every_effect_sounds_and_peaks_at_one():
    dry = np.random.default_rng(1).standard_normal((2, CLIP)).astype(np.float32)
    for name, values in DISCRETE.items():
        out = play(dry, chain_of(spelled([(name, [0] * len(values))])), between=True)
        assert out.shape == (2, WINDOW) and np.abs(out).max() == pytest.approx(1)
    plain = play(dry, [], level_db=-6)
    assert plain == pytest.approx(dry[:, WARM_UP:] / np.abs(dry[:, WARM_UP:]).max())
    assert np.isnan(play(np.zeros_like(dry), [])).all()


def test_channels_are_compressed_each_by_itself():
    dry = np.random.default_rng(1).standard_normal((2, CLIP)).astype(np.float32) * [[1.0], [0.1]]
    chain = [("Compressor", {"threshold_db": -30.0, "ratio": 4.0, "attack_ms": 5.0, "release_ms": 50.0})]
    both = play(dry, chain)
    lone = play(np.stack([dry[0], np.zeros(CLIP)]), chain)
    assert both[0] / np.abs(both[0]).max() == pytest.approx(lone[0], abs=1e-6)


def test_positions_found_by_grid_and_by_search():
    places = np.linspace(0, 1, parameters.GRID)
    curve = -((places - 0.7) ** 2)
    assert by_grid(curve) == pytest.approx(0.7, abs=1 / 256)
    assert by_search(curve, 0) == pytest.approx(0.7, abs=0.02)
    assert by_search(curve, 1) == by_search(curve, 1)
    assert by_grid(np.ones(parameters.GRID)) == pytest.approx(0.5)  # deaf: the middle


def test_a_knob_goes_from_end_to_end():
    knob = KNOBS["compressor threshold"]
    assert [knob.chain(place)[0][1]["threshold_db"] for place in (0, 0.5, 1)] == [-80, -40, 0]


def test_parameter_trials_count(shelf):
    trials = parameters.draw(shelf, "midi", "own", matched=2, targets=3)
    assert trials.faults() == []
    assert len(trials.jobs()) == len(KNOBS) * (2 * parameters.GRID + 2 * 3 * 4)


def test_a_knob_is_found_again_on_music_of_its_own_collection(tmp_path):
    path = tmp_path / "clips.npy"
    np.save(path, np.arange(11 * 2 * 8, dtype=np.int16).reshape(11, 2, 8))
    names = [f"{i} {kind}/{work}.mid @ {i} s" for i, (kind, work) in enumerate(
        [("drums", w) for w in "aabbc"] + [("songs", w) for w in "deffg"] + [("lone", "h")]
    )]  # fmt: skip
    clips = tuple(Clip(name, name.split("/")[1][0]) for name in names)
    trials = parameters.draw(Shelf(path, clips), "midi", "own", matched=6, targets=2)
    assert trials.faults() == [] and len(trials.body["pairs"]) == 12
    pairs = [[trials.clips[place] for place in pair] for pair in trials.body["pairs"]]
    assert all(own.collection == other.collection in ("drums", "songs") for own, other in pairs)
    assert len({own.collection for own, _ in pairs}) == 2, "collections take turns"
    with pytest.raises(ValueError, match="two works of one collection"):
        parameters.draw(Shelf(path, clips[:2]), "midi", "own")


def test_parameters_follow_the_embeddings(shelf):
    """Embeddings that are the knob's position, on an arc: every target is found where it is."""
    trials = parameters.draw(shelf, "midi", "own", matched=2, targets=2)
    knob = KNOBS["low shelf gain"]
    trials.body["knobs"] = ["low shelf gain"]
    gains = np.array([job.chain[0][1]["gain_db"] for job in trials.jobs()])
    turn = (gains - knob.low) / (knob.high - knob.low)
    arc = np.stack([np.cos(turn), np.sin(turn)], -1)
    found = by_grid(trials.similarity(arc))[0]
    assert found == pytest.approx(np.tile(knob.targets, (4, 1)), abs=1 / 256 + 1e-9)

    method = Method("ours", "ours", "x", lambda x: x, "ours")
    deaf = Method("deaf", "deaf", "x", np.ones_like)
    told = parameters_scores.scored(trials, [method, deaf], {"x": arc}, {})
    assert told["methods"]["ours"]["grid"]["mean"]["pearson"] > 0.999
    assert told["methods"]["ours"]["search"]["mean"]["pearson"] > 0.99
    assert told["methods"]["deaf"]["grid"]["mean"]["pearson"] == 0
    assert told["against"]["deaf"]["mean"]["difference"] > 0.999
    table = parameters_scores.table(told, [method, deaf])
    assert told["trials"] == 16 and all(len(row) == len(table.heads) for row in table.rows)


def test_a_rehearsed_knob_is_read_off_the_target_alone(shelf):
    """Two numbers: the knob's position and the music's own; who rehearsed must tell the first from them."""
    trials = parameters.draw(shelf, "midi", "own", matched=2, targets=2)
    trials.body["knobs"] = ["low shelf gain"]
    knob, jobs = KNOBS["low shelf gain"], trials.jobs()
    gains = np.array([job.chain[0][1]["gain_db"] for job in jobs])
    turn = (gains - knob.low) / (knob.high - knob.low)
    music = np.array([job.clip for job in jobs], float)
    x = np.stack([2 * turn + 0.3 * music, music], -1)
    rng = np.random.default_rng(3)
    rows = [(name, f"work {rng.integers(9)}", rng.random()) for name in KNOBS for _ in range(200)]
    tunes = rng.random(len(rows)) * 4
    heard = np.stack([2 * np.array([row[2] for row in rows]) + 0.3 * tunes, tunes], -1)
    ears = rehearsed.learn({"mfcc": heard}, rows)
    assert min(ears["mfcc", knob].line.told[0] for knob in KNOBS) > 0.99
    found = rehearsed.read(trials, {"mfcc": x}, ears)
    assert found["mfcc"][0] == pytest.approx(np.tile(knob.targets, (4, 1)), abs=0.06)

    arc = Method("ours", "ours", "mfcc", lambda x: unit(x), "ours")
    told = parameters_scores.scored(trials, [arc], {"mfcc": x}, ears)
    assert told["rehearsed"]["mfcc"]["mean"]["pearson"] > 0.99
    assert told["against"]["mfcc rehearsed"]["mean"]["difference"] < 0
    table = parameters_scores.table(told, [arc])
    assert [row[0] for row in table.rows] == ["ours", "MFCC-75, rehearsed", "any position"]
    assert all(len(row) == len(table.heads) for row in table.rows)
    assert "MFCC-75, rehearsed at low shelf gain" in table.notes[0]
    assert rehearsed.read(trials, {"mfcc": x}, {}) == {}


def test_ears_that_were_kept_come_back_and_are_good_for_one_encoder_only(tmp_path):
    rng = np.random.default_rng(5)
    rows = [(name, f"work {rng.integers(4)}", rng.random()) for name in KNOBS for _ in range(60)]
    ears = rehearsed.learn({"mfcc": rng.standard_normal((len(rows), 7)).astype(np.float32)}, rows)
    ears |= {("ours", knob): ears["mfcc", knob] for knob in KNOBS}
    rehearsed.write(ears, "this one", tmp_path / "ears.npz")
    back = rehearsed.kept("this one", tmp_path / "ears.npz")
    assert back.keys() == ears.keys()
    x = rng.standard_normal((5, 7)).astype(np.float32)
    for key in ears:
        assert back[key](x) == pytest.approx(ears[key](x), abs=2e-3), "half precision"
    assert set(rehearsed.kept("another", tmp_path / "ears.npz")) == {("mfcc", knob) for knob in KNOBS}


def test_the_ears_that_ship_listen_with_the_encoder_that_ships():
    ears = rehearsed.kept(style_encoder().digest)
    assert set(ears) == {(who, knob) for who in rehearsed.LISTENERS for knob in KNOBS}


def test_a_perfect_ear_tells_the_delays_mix_with_three_quarters():
    """All wet and a third wet are one sound (below), so the best answer to both is the middle of them."""
    targets = np.array([0, 1 / 3, 2 / 3, 1])
    assert parameters_scores.pearson(np.array([0, 2 / 3, 2 / 3, 2 / 3]), targets) == pytest.approx(
        0.775, abs=1e-3
    )


def test_what_is_rehearsed_lies_all_over_the_knob_and_often_at_its_ends(shelf):
    sounds = rehearsed.draw(shelf, "midi", each=60)
    jobs = sounds.jobs()
    assert len(jobs) == 60 * len(KNOBS)
    for name in KNOBS:
        places = np.array([row[2] for row in sounds.body["sounds"] if row[0] == name])
        assert places.min() == 0 and places.max() == 1
        assert 3 <= ((places == 0) | (places == 1)).sum() <= 25
        assert len(np.unique(places)) > 30
    assert rehearsed.draw(shelf, "midi", each=60).text() == sounds.text()


def test_a_delay_all_wet_and_one_third_wet_are_one_sound():
    """Why no ear tells delay mix 1 from 1/3: with feedback 0.5 they are the same but for 100 ms and a gain.

    2/3 x + 1/3 (echoes, each half the last) is 2/3 of (echoes, the first at once).
    """
    noise = np.random.default_rng(0).standard_normal((2, CLIP)).astype(np.float32) * 0.1
    third, whole = (play(noise, KNOBS["delay mix"].chain(position)) for position in (1 / 3, 1.0))
    late = round(0.1 * RATE)
    gain = float((third[:, :-late] * whole[:, late:]).sum() / np.square(whole[:, late:]).sum())
    assert np.abs(third[:, :-late] - gain * whole[:, late:]).max() < 1e-5
