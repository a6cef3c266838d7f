"""Who has turned a chain's knobs on many pieces reads them off a piece never heard before."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from daiw_master.errors import InputError, UnknownNameError, WriteError
from daiw_master.neural.encoder import style_encoder
from daiw_master.refine.ito import sound_like
from daiw_master.refine.ito.rehearsal import SUREST, drawn_turns, rehearse
from daiw_master.refine.ito.rehearsal_file import read_rehearsal, write_rehearsal
from daiw_master.refine.ito.ridge import ridge
from daiw_master.stack import PEDALBOARD
from daiw_master.stack.chain import run_chain
from tests import signals

RATE, LEAD = 48_000, 4_800
CHAIN = {"shelf": PEDALBOARD["pedalboard_low_shelf_filter"], "drive": PEDALBOARD["pedalboard_distortion"]}
FREE = {"shelf.gain_db": (-18.0, 18.0), "drive.drive_db": (0.0, 30.0)}
HELD = {"shelf.cutoff_frequency_hz": 300.0, "shelf.q": 0.7}


def piece(seed: int) -> torch.Tensor:
    """One window of music (1, 2, time), at the level a song enters the chain."""
    return 0.1 * signals.music(2.6, seed=seed, rate=RATE)


@pytest.fixture(scope="module")
def heard():
    return rehearse(CHAIN, [piece(seed) for seed in range(10)], free=FREE, start=HELD, sounds=240, lead=LEAD)


def test_settings_are_read_off_a_piece_it_never_heard(heard):
    found = []
    for seed in (21, 22, 23):
        for gain_db, drive_db in ((-12.0, 24.0), (0.0, 3.0), (12.0, 14.0)):
            settings = {**HELD, "shelf.gain_db": gain_db, "drive.drive_db": drive_db}
            reading = heard.read(run_chain(CHAIN, piece(seed), RATE, settings)[..., LEAD:])
            found.append(
                (gain_db, reading.settings["shelf.gain_db"], drive_db, reading.settings["drive.drive_db"])
            )
    asked_gain, gain, asked_drive, drive = np.array(found).T
    assert np.corrcoef(asked_gain, gain)[0, 1] > 0.9 and np.corrcoef(asked_drive, drive)[0, 1] > 0.9
    assert reading.settings["shelf.cutoff_frequency_hz"] == 300.0, "what was held is told as it was held"
    # what it says of itself, of pieces left out, is about what it errs by here
    said = reading.spreads["shelf.gain_db"]
    assert SUREST <= said < 0.25 and np.sqrt(np.mean((gain - asked_gain) ** 2)) / 48 < 2.5 * said
    assert min(reading.told.values()) > 0.5


def test_a_reading_is_a_start_and_a_prior_for_the_search(heard):
    settings = {**HELD, "shelf.gain_db": -12.0, "drive.drive_db": 24.0}
    wanted = style_encoder()(run_chain(CHAIN, piece(21), RATE, settings))[0]
    reading = heard.read(run_chain(CHAIN, piece(22), RATE, settings)[..., LEAD:])
    given = {"free": FREE, "route": "evolution", "popsize": 4, "generations": 1, "workers": 1}
    read = sound_like(piece(21), RATE, CHAIN, wanted, start=reading.settings, prior=reading.spreads, **given)
    blind = sound_like(piece(21), RATE, CHAIN, wanted, start=HELD, **given)
    assert read.start_similarity > blind.start_similarity
    assert read.cost <= read.start_cost


def test_a_knob_that_does_not_sound_is_said_not_to_be_heard():
    """Damping and width of a room with nothing wet."""
    room = {"room": PEDALBOARD["pedalboard_reverb"]}
    dry = {"room.wet_level": 0.0, "room.dry_level": 0.5}
    deaf = rehearse(
        room, [piece(s) for s in range(6)], free=["room.damping"], start=dry, sounds=60, lead=LEAD
    )
    assert deaf.ear.line.told[0] < 0.1
    assert deaf.ear.line.spread[0] > 0.25


def test_the_same_seed_rehearses_the_same_and_a_file_brings_it_back(heard, tmp_path):
    again = rehearse(CHAIN, [piece(s) for s in range(10)], free=FREE, start=HELD, sounds=240, lead=LEAD)
    assert np.array_equal(again.ear.line.matrix, heard.ear.line.matrix) and again.encoder == heard.encoder
    path = write_rehearsal(heard, tmp_path / "strip.rehearsal")
    back = read_rehearsal(path)
    one, other = (made.read(piece(31)) for made in (back, heard))
    assert one.settings == pytest.approx(other.settings, abs=0.1), "the network is kept in half precision"
    assert (one.spreads, one.told) == (other.spreads, other.told)
    assert back.knobs == heard.knobs and back.pieces == 10 and back.sounds == 240


def test_walls_hold_what_is_drawn_and_what_is_read(heard):
    turns = drawn_turns(np.random.default_rng(1), heard.walls[:, 0], heard.walls[:, 1], 400)
    assert (turns >= heard.walls[:, 0]).all() and (turns <= heard.walls[:, 1]).all()
    ends = (turns == heard.walls[:, 0]) | (turns == heard.walls[:, 1])
    assert 0.12 < ends.mean() < 0.28
    far = 1e4 * np.ones((1, len(heard.ear.line.mean)), np.float32)
    assert ((heard.turns(far) >= heard.walls[:, 0]) & (heard.turns(far) <= heard.walls[:, 1])).all()


def test_what_cannot_be_rehearsed_is_refused(heard, tmp_path):
    with pytest.raises(InputError, match="1 piece to rehearse on"):
        rehearse(CHAIN, [piece(0)], free=FREE)
    with pytest.raises(InputError, match="10 sounds"):
        rehearse(CHAIN, [piece(0), piece(1)], free=FREE, sounds=10)
    with pytest.raises(UnknownNameError):
        rehearse(CHAIN, [piece(0), piece(1)], free=["shelf.gain"], sounds=60)
    with pytest.raises(InputError, match="came out silent"):
        rehearse(CHAIN, [torch.zeros(1, 2, 2 * RATE)] * 2, free=FREE, sounds=60)
    with pytest.raises(InputError, match="silent"):
        heard.read(torch.zeros(1, 2, 2 * RATE))
    with pytest.raises(WriteError, match="ends in .rehearsal"):
        write_rehearsal(heard, tmp_path / "strip.txt")
    (tmp_path / "other.rehearsal").write_text("not one")
    with pytest.raises(InputError, match="holds no rehearsal"):
        read_rehearsal(tmp_path / "other.rehearsal")


def test_a_rehearsal_of_another_encoder_is_refused(heard):
    from dataclasses import replace

    with pytest.raises(InputError, match="rehearse again"):
        replace(heard, encoder="0" * 12).read(piece(0))


def test_ridge_is_the_textbooks_and_is_judged_on_groups_left_out():
    """Its dual form against the normal equations; groups with a tune of their own tell nothing of others."""
    rng = np.random.default_rng(4)
    x = rng.standard_normal((90, 12)).astype(np.float32)
    y = x[:, :1] * 0.5 + 0.05 * rng.standard_normal((90, 1))
    groups = np.arange(90) % 9
    found = ridge(x, y, groups)
    z = (x - x.mean(0)) / x.std(0)
    decay = found.decay * np.square(z).sum() / 90
    plain = np.linalg.solve(z.T @ z + decay * np.eye(12), z.T @ (y - y.mean(0)))
    assert found.matrix == pytest.approx(plain, abs=1e-4)
    assert found.told[0] > 0.95 and found.spread[0] == pytest.approx(0.05, rel=0.3)
    # every group carries its own label in its own number: inside a group all is told, beyond it nothing
    own = np.eye(9, dtype=np.float32)[groups]
    assert ridge(own, rng.random(9)[groups][:, None], groups).told[0] < 0.05
    with pytest.raises(ValueError, match="one group"):
        ridge(x, y, np.zeros(90))
