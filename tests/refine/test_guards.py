"""Guards see what they claim to see: each broken on purpose, once."""

from __future__ import annotations

import pytest
import torch

from daiw_master import house
from daiw_master.meters.tone import spectrum
from daiw_master.meters.traces import scan
from daiw_master.plan import make_plan
from daiw_master.refine.guards import check_guards, dynamics_guards, eq_guards, stereo_guards
from daiw_master.refine.master import make_neutral
from tests import signals
from tests.refine.benches import RATE, bench

FLAT = bench("eq", seconds=0.5).space.defaults()


def names_broken(guards) -> set[str]:
    return {guard.name for guard in guards if not guard.holds}


@pytest.fixture(scope="module")
def desk():
    return bench("reverb", "eq", "dynamics", "exciter", "imager", seconds=4.0)


@pytest.fixture(scope="module")
def neutral(desk):
    with torch.no_grad():
        return make_neutral(desk, make_plan())


def test_neutral_breaks_nothing(desk, neutral):
    guards = check_guards(desk, neutral)
    assert names_broken(guards) == set()
    # how hard the limiter works is the song's doing, and this band is all peaks
    assert {guard.name for guard in guards if guard.relaxed} <= {"limiter_p99_db"}
    assert {"eq_band_db", "limiter_p99_db", "side_to_mid_db", "correlation_p5", "fold_down_loss_lu"} <= {
        guard.name for guard in guards
    }
    assert {guard.name for guard in guards} <= set(house.limits())


@pytest.mark.parametrize(
    ("knobs", "broken", "beyond_default"),
    [
        ({"eq.peak_3_gain_db": 12.0, "eq.peak_3_q": 0.4}, "eq_band_db", "eq_band_db"),
        ({"eq.peak_3_gain_db": 6.0, "eq.peak_3_q": 0.4}, None, "eq_band_db"),
        ({"eq.low_shelf_gain_db": 4.0}, "eq_below_40_hz_db", "eq_below_40_hz_db"),
        ({"imager.high_width_db": 6.0}, "side_gain_db", "side_gain_db"),
        ({"imager.high_width_db": 3.0}, None, "side_gain_db"),
        (
            {"dynamics.ratio": 10.0, "dynamics.threshold_db": -50.0},
            "compressor_mean_db",
            "compressor_mean_db",
        ),
        ({"dynamics.ratio": 1.5, "dynamics.attack_ms": 2.0}, "compressor_attack_ms", "compressor_attack_ms"),
        ({"dynamics.attack_db": 9.0}, None, "shaper_db"),
        ({"dynamics.ride": 0.9}, None, "ride_db"),
        ({"exciter.mix_db": 0.0, "exciter.cutoff_hz": 1500.0}, None, "exciter_db"),
        ({"reverb.wet_db": -6.0}, "reverb_bus_wet_db", "reverb_bus_wet_db"),
        ({"reverb.wet_db": -20.0, "reverb.decay_s": 5.0}, "reverb_bus_decay_s", "reverb_bus_decay_s"),
    ],
)
def test_a_knob_turned_too_far_is_found(desk, neutral, knobs, broken, beyond_default):
    with torch.no_grad():
        take = desk.take({**neutral.settings, **knobs}, -14.0, -1.0, 6.0, quick=True)
        guards = check_guards(desk, take)
    by_name = {guard.name: guard for guard in guards}
    assert by_name[beyond_default].relaxed
    if broken:
        assert broken in names_broken(guards)
    else:
        assert beyond_default not in names_broken(guards)


def test_phase_and_width_are_read_off_the_sound():
    def guards_of(x):
        return stereo_guards(scan(x, RATE), spectrum(x, RATE))

    mid = signals.noise(2.0, channels=1, seed=1)
    side = signals.noise(2.0, channels=1, seed=2)
    mono = torch.cat([mid, mid], dim=1)
    against = torch.cat([mid, -0.8 * mid], dim=1)
    wide = torch.cat([mid + 0.5 * side, mid - 0.5 * side], dim=1)
    found = guards_of(against)
    assert found["correlation_p5"] < -0.95
    assert found["fold_down_loss_lu"] > 10
    assert found["side_to_mid_db"] > 10 and found["side_low_db"] > 10
    found = guards_of(mono)
    assert found["correlation_p5"] > 0.999 and abs(found["fold_down_loss_lu"]) < 0.1
    assert found["side_to_mid_db"] < -60
    assert guards_of(wide)["side_to_mid_db"] == pytest.approx(-6.02, abs=0.3)
    assert guards_of(mid) == {}, "one channel has no sides"


def test_flat_eq_reads_flat_and_narrow_cuts_count_by_band():
    assert eq_guards(FLAT, RATE) == {"eq_band_db": pytest.approx(0, abs=0.01), "eq_below_40_hz_db": 0.0}
    cut = eq_guards({**FLAT, "eq.peak_3_gain_db": -4.0, "eq.peak_3_q": 0.4}, RATE)
    assert 2.0 < cut["eq_band_db"] <= 4.0, "cuts count as boosts do"
    assert cut["eq_below_40_hz_db"] == pytest.approx(0, abs=0.05)
    assert eq_guards({}, RATE) == {}


def test_a_resting_compressor_is_not_judged(desk, neutral):
    found = dynamics_guards(desk, neutral.settings)
    assert "compressor_mean_db" not in found
    found = dynamics_guards(desk, {**neutral.settings, "dynamics.ratio": 2.0})
    assert 0 < found["compressor_mean_db"] <= found["compressor_p95_db"]


def test_every_kind_of_chain_can_be_guarded():
    with torch.no_grad():
        bare = bench(seconds=1.0)
        guards = check_guards(bare, bare.take(bare.space.defaults(), -20.0, -1.0, 6.0))
    assert names_broken(guards) <= {"side_low_db", "side_to_mid_db"}, (
        "nothing there to narrow the synthetic band"
    )
    assert "eq_band_db" not in {guard.name for guard in guards}
