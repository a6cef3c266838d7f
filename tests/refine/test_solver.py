"""The joint solver on real sound: it meets what can be met, cuts what cannot, keeps the best, says so."""

from __future__ import annotations

from functools import cache

import pytest

from daiw_master import house
from daiw_master.plan import Shift, make_plan
from daiw_master.refine.asks import ask_of
from daiw_master.refine.bench import Bench
from daiw_master.refine.guards import eq_guards
from daiw_master.refine.solver import MAX_TAKES, solve
from daiw_master.targets import BANDS, HEARD
from tests.refine.benches import RATE, bench


class Counted(Bench):
    """A bench that counts its full passes and keeps every take."""

    def take(self, *args, **kwargs):
        made = super().take(*args, **kwargs)
        self.takes = [*getattr(self, "takes", []), made]
        return made


def counted(*effects: str) -> Counted:
    desk = bench(*effects, seconds=4.0)
    desk.__class__ = Counted
    desk.takes = []
    return desk


def plan_of(settings=None, targets=None, **by):
    shifts = {name: Shift(name, value, "because") for name, value in by.items()}
    # quiet enough that the limiter rests: what moves is moved by the knobs
    given = {"loudness_lufs": -22.0, **(targets or {})}
    return make_plan("x", shifts, targets=given, settings=settings)


def solved(plan, *effects: str):
    desk = counted(*effects)
    start = {**desk.space.defaults(), **plan.settings}
    first = desk.take(start, plan.loudness_lufs, plan.ceiling_dbtp, 6.0, quick=True)
    asks = ask_of(plan, first.heard)
    desk.takes = []
    return desk, first, asks, solve(desk, plan, start, asks, first=first)


def distance(asks, take) -> float:
    return sum(ask.error(take.heard[name]) ** 2 for name, ask in asks.items())


BRIGHTER = {"band_brilliance_db": 1.6, "band_presence_db": 1.0, "band_low_mid_db": -1.6, "band_bass_db": -1.0}


@cache
def brighter():
    return solved(plan_of(**BRIGHTER, width_high_db=-2.0), "eq", "imager")


def test_tone_and_width_are_met_together():
    _, first, asks, solution = brighter()
    assert sum(ask.claimed for ask in solution.asks.values()) >= 3
    for name in (*BRIGHTER, "width_high_db"):
        ask = solution.asks[name]
        assert abs(ask.error(solution.take.heard[name])) <= 1.0, name
    for name in BANDS:
        assert abs(solution.asks[name].error(solution.take.heard[name])) <= 2.0, f"{name} was asked to stay"
    assert distance(solution.asks, solution.take) < 0.1 * distance(asks, first)


def test_passes_are_few_and_the_log_names_target_old_and_new():
    desk, first, _, solution = brighter()
    assert 1 <= len(desk.takes) <= MAX_TAKES
    assert solution.log
    for entry in solution.log:
        assert entry.step.startswith("step ")
        assert entry.target in HEARD or entry.target in house.limits()
    opening = [entry for entry in solution.log if entry.step == "step 1"]
    assert {entry.target: entry.old for entry in opening} == {
        e.target: first.heard[e.target] for e in opening
    }


def test_the_best_take_is_kept():
    desk, first, _, solution = brighter()
    assert distance(solution.asks, solution.take) == min(
        distance(solution.asks, take) for take in [first, *desk.takes]
    )


def test_the_same_song_and_plan_give_the_same_settings():
    _, _, _, once = brighter()
    _, _, _, again = solved(plan_of(**BRIGHTER, width_high_db=-2.0), "eq", "imager")
    assert once.take.settings == again.take.settings


def test_asks_already_met_cost_no_pass():
    desk, first, _, solution = solved(plan_of(), "eq")
    assert desk.takes == [] and solution.log == []
    assert solution.take is first


def test_a_pinned_knob_leaves_the_search():
    pinned = {"eq.peak_6_gain_db": -3.0, "eq.high_shelf_gain_db": 2.0}
    _, _, _, solution = solved(plan_of(settings=pinned, band_brilliance_db=1.5, band_mid_db=-1.5), "eq")
    for knob, value in pinned.items():
        assert solution.take.settings[knob] == value
    assert solution.take.settings["eq.peak_3_gain_db"] != 0


def test_with_every_knob_pinned_there_is_nothing_to_solve():
    desk = bench("eq")
    everything = desk.space.defaults()
    _, first, _, solution = solved(plan_of(settings=everything, band_air_db=2.0), "eq")
    assert solution.take is first


def test_what_no_allowed_setting_reaches_is_cut_and_said():
    # nothing in the chain can move attacks: an equaliser moves tone
    _, _, asks, solution = solved(plan_of(onset_db=4.0, band_brilliance_db=1.5, band_mid_db=-1.5), "eq")
    assert asks["onset_db"].by == pytest.approx(4.0, abs=0.1)
    cut = solution.asks["onset_db"]
    assert cut.by < 2.0 and cut.wanted < asks["onset_db"].wanted
    assert "wanted +4" in cut.cut and "this song gives" in cut.cut
    assert abs(solution.asks["band_brilliance_db"].error(solution.take.heard["band_brilliance_db"])) <= 1.0


def test_a_users_caricature_stops_at_the_hard_limits():
    """+20 dB of highs by `--set`: the equaliser goes to its hard limit at most, and the log names it."""
    here = solved(plan_of(), "eq")[1].heard["band_brilliance_db"]
    _, _, _, solution = solved(plan_of(targets={"band_brilliance_db": here + 20.0}), "eq")
    hard, default = house.limits()["eq_band_db"].hard, house.limits()["eq_band_db"].default
    net = eq_guards(solution.take.settings, RATE)["eq_band_db"]
    assert default - 0.1 <= net <= hard + 0.05, "all bells together"
    if net > default + 0.05:
        assert "eq_band_db" in solution.plan.relaxed
        assert any("relaxed eq_band_db" in entry.step for entry in solution.log)
    assert "eq_band_db" in solution.at_limit.values()


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_bass_is_only_ever_narrowed(sign):
    _, _, _, solution = solved(plan_of(width_low_mid_db=2.0 * sign), "imager")
    assert solution.take.settings["imager.low_width_db"] <= 0.0
    moved = solution.take.settings["imager.low_mid_width_db"]
    assert moved * sign > 0 and moved <= house.limits()["side_gain_db"].hard + 1e-6
