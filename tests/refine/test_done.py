"""What is done at a stage is proven at that stage: the room's length and level, the drive."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
import torch
from scipy.signal import butter, sosfilt

from daiw_master import house
from daiw_master.plan import Shift, make_plan
from daiw_master.refine.done import (
    MOST_FILLING_DB,
    NONE_DB,
    done_asks,
    filling_db,
    measured_decay_s,
    measured_drive_db,
    measured_wet_db,
    set_drive,
    set_room,
)
from daiw_master.sounds import Held, whole
from daiw_master.stack.reverb import synced_predelay_ms
from tests import signals
from tests.refine.benches import RATE, bench, song


def plan_of(settings=None, targets=None, relaxed=(), **by):
    shifts = {name: Shift(name, value, f"why {name}") for name, value in by.items()}
    return make_plan("x", shifts, settings=settings, targets=targets, relaxed=relaxed)


@cache
def room_bench(tempo_bpm=None):
    return bench("reverb", "exciter", seconds=3.0, tail_s=4.5, is_midi=True, tempo_bpm=tempo_bpm)


def test_a_dry_render_gets_a_small_room_and_a_file_none():
    room = house.neutral()["midi"]
    asks = done_asks(plan_of(), is_midi=True, has_send=True)
    assert (asks["reverb_wet_db"].wanted, asks["reverb_decay_s"].wanted) == (
        room["reverb_wet_db"],
        room["reverb_decay_s"],
    )
    assert asks["drive_db"].wanted == NONE_DB
    assert done_asks(plan_of(), is_midi=False, has_send=False)["reverb_wet_db"].wanted == NONE_DB


def test_on_a_file_a_room_grows_from_nothing_without_a_jump():
    wet = [
        done_asks(plan_of(reverb_wet_db=by), is_midi=False, has_send=False)["reverb_wet_db"].wanted
        for by in (0.0, 0.01, 1.0, 3.0, 6.0)
    ]
    assert wet[0] == NONE_DB and wet == sorted(wet)
    assert wet[1] <= -58, "a hundredth of a shift is next to nothing"
    assert done_asks(plan_of(reverb_wet_db=-6.0), False, False)["reverb_wet_db"].wanted == NONE_DB


@pytest.mark.parametrize(
    ("has_send", "relaxed", "wet", "decay"),
    [
        (True, False, "reverb_send_wet_db", "reverb_send_decay_s"),
        (True, True, "reverb_send_wet_db", "reverb_send_decay_s"),
        (False, False, "reverb_bus_wet_db", "reverb_bus_decay_s"),
    ],
)
def test_rooms_end_at_the_house_limits_and_say_so(has_send, relaxed, wet, decay):
    plan = plan_of(reverb_wet_db=50.0, reverb_decay_s=5.0, relaxed=(wet, decay) if relaxed else ())
    asks = done_asks(plan, is_midi=True, has_send=has_send)
    for field, limit in (("reverb_wet_db", wet), ("reverb_decay_s", decay)):
        assert asks[field].wanted == house.limits()[limit].value(relaxed)
        assert f"allows {asks[field].wanted:g}" in asks[field].cut
        assert asks[field].why == f"why {field}"


def test_the_users_room_is_the_users():
    asks = done_asks(plan_of(targets={"reverb_wet_db": -3.0}), is_midi=False, has_send=False)
    assert asks["reverb_wet_db"].wanted == -3.0 and not asks["reverb_wet_db"].cut


@pytest.mark.parametrize(("wet_db", "decay_s"), [(-22.0, 0.9), (-12.0, 3.5)])
def test_a_room_is_as_loud_and_as_long_as_asked(wet_db, decay_s):
    """The promise of DESIGN rule 1: wet within 1 dB, decay within 10 %, on the stage."""
    desk = room_bench()
    plan = plan_of(targets={"reverb_wet_db": wet_db, "reverb_decay_s": decay_s})
    settings = set_room(desk, plan, desk.space.defaults(), done_asks(plan, True, False))
    assert measured_wet_db(desk, settings) == pytest.approx(wet_db, abs=0.2)
    assert measured_decay_s(desk, settings) == pytest.approx(decay_s, rel=0.1)


def test_the_room_answers_in_time_with_the_music():
    plan = plan_of(targets={"reverb_wet_db": -20.0})
    found = {}
    for tempo in (None, 97.0):
        desk = room_bench(tempo)
        found[tempo] = set_room(desk, plan, desk.space.defaults(), done_asks(plan, True, False))[
            "reverb.predelay_ms"
        ]
    assert found[None] == room_bench().space["reverb.predelay_ms"].default
    assert found[97.0] == pytest.approx(synced_predelay_ms(found[None], 97.0))
    notes = [60000 / 97.0 / n for n in range(1, 129)]
    assert min(abs(found[97.0] - note) for note in notes) < 0.01, "a whole fraction of a beat"


def test_pinned_room_knobs_stay_pinned():
    desk = room_bench()
    plan = plan_of(settings={"reverb.wet_db": -31.0, "reverb.decay_s": 2.0}, reverb_wet_db=3.0)
    settings = set_room(desk, plan, desk.space.defaults(), done_asks(plan, True, False))
    assert (settings["reverb.wet_db"], settings["reverb.decay_s"]) == (-31.0, 2.0)


@pytest.mark.parametrize("drive_db", [-40.0, -26.0])
def test_drive_is_what_the_exciter_really_leaves(drive_db):
    desk = room_bench()
    plan = plan_of(targets={"drive_db": drive_db})
    settings, _ = set_drive(desk, plan, desk.space.defaults(), done_asks(plan, True, False))
    with torch.no_grad():
        assert measured_drive_db(desk, settings) == pytest.approx(drive_db, abs=1.0)


def test_no_drive_asked_is_no_drive():
    desk = room_bench()
    settings, _ = set_drive(desk, plan_of(), desk.space.defaults(), done_asks(plan_of(), True, False))
    assert settings["exciter.mix_db"] == NONE_DB
    assert measured_drive_db(desk, settings) == NONE_DB
    assert measured_wet_db(desk, desk.space.defaults()) == NONE_DB


def test_a_chain_without_a_room_or_exciter_is_left_alone():
    desk = bench("eq", seconds=1.0)
    plan = plan_of(targets={"reverb_wet_db": -12.0, "drive_db": -30.0})
    asks = done_asks(plan, True, False)
    settings = desk.space.defaults()
    assert set_room(desk, plan, settings, asks) == settings == set_drive(desk, plan, settings, asks)[0]
    assert measured_wet_db(desk, settings) == NONE_DB == measured_drive_db(desk, settings)


def test_only_the_send_reaches_the_room():
    """A band whose send is silent gets no wet sound, however loud the room is set."""
    from dataclasses import replace

    desk = bench("reverb", seconds=1.0)
    desk.song = replace(song(1.0), send=Held(torch.zeros(1, 2, RATE), RATE))
    settings = {**desk.space.defaults(), "reverb.wet_db": -6.0}
    assert torch.allclose(whole(desk.after_room(settings)), whole(desk.song.x), atol=1e-6)


def test_harmonics_do_not_fill_a_song_without_highs():
    """An empty band that fills up would move the mean all bands are read against."""
    desk = bench("exciter", seconds=3.0)
    dark = butter(10, 5500, fs=RATE, output="sos")
    noise = 0.1 * signals.noise(3.0).numpy()
    desk.song = replace(desk.song, x=Held(torch.from_numpy(sosfilt(dark, noise).copy()).float(), RATE))
    plan = plan_of(drive_db=38.0, relaxed=["exciter_db"])
    asked = done_asks(plan, is_midi=False, has_send=False)
    settings, given = set_drive(desk, plan, desk.space.defaults(), asked)
    assert given["drive_db"].wanted < asked["drive_db"].wanted - 3
    assert "harmonics would invent them" in given["drive_db"].cut
    assert filling_db(desk, "exciter", settings) <= MOST_FILLING_DB
    assert measured_drive_db(desk, settings) == pytest.approx(given["drive_db"].wanted, abs=0.5)
