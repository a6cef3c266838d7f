"""The form ridden on a bench: the master's loudness goes where the sections say, under the same ceiling."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from scipy.stats import spearmanr

from daiw_master.audio import Audio
from daiw_master.errors import MissingDependencyError
from daiw_master.form import Form, Point, form_of
from daiw_master.meters.loudness import short_term
from daiw_master.refine.asks import Ask
from daiw_master.refine.automation import (
    RANGE,
    added_range_lu,
    automation_reach_db,
    moved_by_sections,
    ridden_gains_db,
    with_form,
)
from daiw_master.refine.bench import Bench
from daiw_master.refine.guards import check_guards
from daiw_master.refine.song import put_on_bench
from daiw_master.sounds import part, whole
from daiw_master.stack import EFFECTS, HOUSE_CHAIN, in_house_order
from daiw_master.stack.automation import SPLIT_HZ
from daiw_master.stack.chain import qualified
from tests import signals

RATE = 44100
DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
ASKED = (0.4, 0.2, 0.9, 0.5, 1.0, 0.3)
LOUDNESS, CEILING, MOST_DB = -14.0, -1.0, 6.0


def form(*energies: float, length_s: float = 8.0) -> Form:
    points = [Point(i * length_s, (i + 1) * length_s, str(i), e) for i, e in enumerate(energies)]
    return Form(tuple(points), transition_s=3.0)


def bench(shape: Form | None, seconds: float, *effects: str, tail_s: float = 0.0) -> Bench:
    """A band that plays on evenly, soft and loud by turns, in front of a short chain."""
    x = signals.music(2.0, RATE).repeat(1, 1, round(seconds / 2.0))
    song = put_on_bench(Audio(x[0], RATE))
    song = song.with_tail(tail_s) if tail_s else song
    song = song if shape is None else with_form(song, shape)
    return Bench(song, qualified([EFFECTS[n] for n in (*effects, "automation", "loudness", "limiter")]))


def turned(desk: Bench, **automation: float) -> dict[str, float]:
    knobs = {f"automation.{knob}": value for knob, value in automation.items()}
    return {**desk.space.defaults(), **knobs}


def take(desk: Bench, settings, still: bool = False):
    return desk.take(settings, LOUDNESS, CEILING, MOST_DB, still=still)


def loudness_moved(desk: Bench, settings) -> tuple[torch.Tensor, torch.Tensor]:
    """(middles of the 3 s windows in s, loudness of the master there minus that of the still one)."""
    takes = [take(desk, settings, still=still) for still in (False, True)]
    moved, still = (short_term(whole(made.sound), desk.song.rate, hop_ms=100.0)[0] for made in takes)
    # what delivery makes up for all over the song is nothing the hand did
    made_up, made_up_still = (made.delivered.gain_db + made.delivered.trim_db for made in takes)
    times = torch.arange(len(moved)) * 0.1 + 1.5
    return times, moved - still - (made_up - made_up_still)


def at(times: torch.Tensor, values: torch.Tensor, where_s) -> list[float]:
    return [float(values[(times - t).abs().argmin()]) for t in where_s]


def follows(desk: Bench, shape: Form, settings, limit_db: float) -> None:
    """The acceptance itself: sections' middles and every second, the limit, and no step."""
    times, moved = loudness_moved(desk, settings)
    middles = [(p.start_s + p.end_s) / 2 for p in shape.points]
    asked = [p.energy for p in shape.points]
    assert spearmanr(asked, at(times, moved, middles)).statistic >= 0.9
    seconds = torch.arange(2.0, shape.points[-1].end_s - 2.0)
    steps = [next(p.energy for p in shape.points if p.start_s <= t < p.end_s) for t in seconds]
    assert spearmanr(steps, at(times, moved, seconds)).statistic >= 0.9
    curve = desk.song.energy
    asked_1_hz = [
        float(curve[round(100 * float(t) - 150) : round(100 * float(t) + 150)].mean()) for t in seconds
    ]
    assert spearmanr(asked_1_hz, at(times, moved, seconds)).statistic >= 0.9
    sounding = at(times, moved, seconds)
    assert max(map(abs, sounding)) <= limit_db + 0.1
    assert max(sounding) - min(sounding) >= 0.5 * (max(asked) - min(asked)), "it is heard"
    low_db, high_db = ridden_gains_db(desk, settings)
    assert max(float(gains.diff().abs().max()) for gains in (low_db, high_db)) <= 0.5


@pytest.mark.parametrize("level_db", [1.5, 4.0])
def test_loudness_follows_the_sections(level_db):
    shape = form(*ASKED)
    desk = bench(shape, 48.0)
    settings = turned(desk, level_db=level_db)
    follows(desk, shape, settings, level_db)
    assert automation_reach_db(desk, settings) <= level_db + 1e-6


def test_the_master_is_delivered_as_ever():
    """The limiter still guards the ridden song, and its loudness is the asked one."""
    desk = bench(form(*ASKED), 48.0)
    made = desk.take(turned(desk, level_db=1.5, brightness_db=1.5), -17.0, CEILING, MOST_DB)
    assert made.delivered.loudness_lufs == pytest.approx(-17.0, abs=0.1)
    assert made.delivered.true_peak_dbtp <= CEILING + 0.01
    # at the knob's end the limiter stands at its cap, and loudness gives way
    made = take(desk, turned(desk, level_db=4.0, brightness_db=4.0))
    assert made.delivered.reduction_p99_db <= MOST_DB + 0.1 and not made.delivered.reached
    assert made.delivered.true_peak_dbtp <= CEILING + 0.01


def test_the_curve_leaves_the_songs_loudness_where_it_was():
    """Riding moves sections against each other: the delivery hardly has to make up for it."""
    quarters = [
        signals.noise(12.0, level_db=level_db, seed=i) for i, level_db in enumerate((-20, -14, -26, -14))
    ]
    song = put_on_bench(Audio(torch.cat(quarters, dim=-1)[0], RATE))
    desk = Bench(with_form(song, form(*ASKED)), bench(None, 2.0).moving | {"limiter": EFFECTS["limiter"]})
    settings = turned(desk, level_db=1.5)
    moved, still = (desk.take(settings, -24.0, CEILING, MOST_DB, still=s).delivered.gain_db for s in (0, 1))
    assert moved == pytest.approx(still, abs=0.15)


def test_at_rest_it_is_not_there():
    desk = bench(form(*ASKED), 10.0)
    settings = turned(desk)
    assert desk.ridden(settings) is desk.shaped(settings)
    assert added_range_lu(desk, settings) == 0.0 and automation_reach_db(desk, settings) == 0.0
    lone = Bench(desk.song, qualified([EFFECTS[name] for name in ("eq", "loudness", "limiter")]))
    assert added_range_lu(lone, lone.space.defaults()) == 0.0


def test_the_solver_hears_the_song_standing_still():
    desk = bench(form(*ASKED), 12.0, "eq")
    settings = turned(desk, level_db=4.0)
    still, plain = take(desk, settings, still=True), take(desk, turned(desk))
    assert torch.equal(whole(still.sound), whole(plain.sound))
    assert "automation" not in desk.placed and "automation.level_db" in desk.space


def test_a_song_without_form_is_not_ridden():
    """A still form is a line at nought, not a song that rises because nobody said otherwise."""
    desk = bench(form(0.5), 10.0)
    settings = turned(desk, level_db=4.0)
    assert torch.equal(whole(desk.ridden(settings)), whole(desk.shaped(settings)))


def test_the_tail_stays_where_the_music_left_it():
    shape = form(0.2, 1.0)
    desk, bare = bench(shape, 16.0, tail_s=4.0), bench(shape, 16.0)
    settings = turned(desk, level_db=2.0)
    low_db, _ = ridden_gains_db(desk, settings)
    alone, _ = ridden_gains_db(bare, settings)
    assert torch.allclose(low_db[: len(alone) - 50], alone[:-50], atol=1e-4)
    assert low_db[len(alone) :].tolist() == pytest.approx(
        [float(alone[-1])] * (len(low_db) - len(alone)), abs=1e-4
    )


def test_an_excerpt_has_its_part_of_the_form():
    shape = form(*ASKED)
    song = put_on_bench(Audio(signals.music(48.0, RATE)[0], RATE))
    excerpt = replace(song, x=part(song.x, 20 * RATE, 30 * RATE))
    cut, full = with_form(excerpt, shape, start_s=20.0).energy, with_form(song, shape).energy[2000:3000]
    slope = (cut.max() - cut.min()) / (full.max() - full.min())
    assert torch.allclose((cut - cut.mean()) / slope, full - full.mean(), atol=1e-3)


@pytest.mark.parametrize("level_db", [1.5, 4.0])
@pytest.mark.parametrize("energies", [ASKED, (0.9, 0.2, 0.9, 0.2, 0.9, 0.2)])
def test_the_range_it_adds_is_foretold(energies, level_db):
    """Against the meter on the master itself, before a limiter could take some of it."""
    desk = bench(form(*energies), 48.0)
    settings = turned(desk, level_db=level_db)
    moved, still = (
        desk.take(settings, -26.0, CEILING, MOST_DB, still=still).heard[RANGE] for still in (False, True)
    )
    added = added_range_lu(desk, settings)
    assert added == pytest.approx(moved - still, abs=0.25)
    assert added > 0.3 * level_db


@pytest.mark.parametrize("level_db", [1.5, 3.0])
def test_what_the_limiter_takes_back_is_foretold_too(level_db):
    desk = bench(form(*ASKED), 48.0)
    settings = turned(desk, level_db=level_db, brightness_db=0.5)
    moved, still = (desk.take(settings, -14.5, CEILING, MOST_DB, still=still) for still in (False, True))
    counted = added_range_lu(desk, moved.settings, moved.delivered)
    assert counted == pytest.approx(moved.heard[RANGE] - still.heard[RANGE], abs=0.3)
    assert counted < added_range_lu(desk, settings) - 0.1


def test_the_sections_move_the_range_ask():
    asks = {RANGE: Ask(RANGE, 6.0, 0.0), "crest_db": Ask("crest_db", 12.0, 0.0)}
    moved = moved_by_sections(asks, 1.4)
    assert (moved[RANGE].wanted, moved[RANGE].by) == (pytest.approx(7.4), pytest.approx(1.4))
    assert moved[RANGE].why == "the sections move it" and moved["crest_db"] is asks["crest_db"]
    more = moved_by_sections({RANGE: Ask(RANGE, 6.0, 1.0, "whisper to blast")}, 1.4)[RANGE]
    assert more.by == pytest.approx(2.4) and more.why.startswith("whisper to blast; ")
    own = {RANGE: Ask(RANGE, 5.0, 1.0, "you set it")}
    assert moved_by_sections(own, 1.4) == own, "what the user set stays"
    assert moved_by_sections({}, 1.4) == {}


def test_the_guard_sees_the_hand():
    desk = bench(form(*ASKED), 12.0)
    made = take(desk, turned(desk, level_db=4.0))
    (ride,) = [guard for guard in check_guards(desk, made) if guard.name == "ride_db"]
    assert ride.measured == pytest.approx(automation_reach_db(desk, made.settings))
    assert ride.relaxed == (ride.measured > 1.55)
    assert not [g for g in check_guards(desk, take(desk, turned(desk))) if g.name == "ride_db"]


def tilt_db(y: torch.Tensor, rate: int) -> float:
    """Power above 3 kHz against power below it."""
    power = torch.fft.rfft(y.double()).abs().square().sum((0, 1))
    hz = torch.fft.rfftfreq(y.shape[-1], 1 / rate)
    return float(10 * (power[hz >= SPLIT_HZ].sum() / power[(hz > 40) & (hz < SPLIT_HZ)].sum()).log10())


@pytest.mark.parametrize("drift_db", [-4.0, 2.0, 6.0])
def test_drift_turns_the_tone_from_start_to_end(drift_db):
    """The first and the last tenth of the master, against the same ones standing still.

    Delivered softly: this band's cymbals lie 17 dB down, where a limiter at its cap puts its own harmonics.
    """
    desk = bench(form(*ASKED), 40.0, tail_s=4.0)
    settings = turned(desk, drift_db=drift_db)
    moved, still = (
        desk.take(settings, -20.0, CEILING, MOST_DB, still=still).sound.read(0, 40 * RATE)
        for still in (False, True)
    )
    tenth = 4 * RATE
    ends, starts = (
        tilt_db(moved[..., part], RATE) - tilt_db(still[..., part], RATE)
        for part in (slice(-tenth, None), slice(tenth))
    )
    assert ends - starts == pytest.approx(drift_db, rel=0.25)


@pytest.mark.parametrize(("name", "third"), [("premature_climax", 0), ("anti_climax", 1)])
def test_the_high_point_lands_in_its_third(name, third):
    shape = form_of(name, (), [], 60.0)
    desk = bench(shape, 60.0)
    times, moved = loudness_moved(desk, turned(desk, level_db=1.5))
    highest = float(times[moved > moved.max() - 0.05].mean())
    assert int(highest // 20) == third
    assert moved[times > 40].mean() < moved[(times > 20 * third) & (times < 20 * third + 20)].mean()


@pytest.fixture(scope="module")
def grief_marked():
    """DAiW's own section-marked song, rendered and finished neutrally in front of the house chain."""
    from daiw_master.midi import render_midi
    from daiw_master.midi.synth import library
    from daiw_master.parts import send_of
    from daiw_master.plan import plan_of
    from daiw_master.refine.master import make_neutral

    path = DATA / "daiw" / "generated" / "therapy_grief_marked.mid"
    if not path.exists():
        pytest.skip("DAiW's sample songs are not here")
    try:
        library()
    except MissingDependencyError as error:
        pytest.skip(str(error))
    rendered = render_midi(path, stems="roles")
    song = put_on_bench(
        rendered.mix,
        send=send_of((stem.role, stem.audio) for stem in rendered.stems),
        tempo_bpm=rendered.tempo_bpm,
        is_midi=True,
    ).with_tail(4.5)
    names = in_house_order([*HOUSE_CHAIN, "automation"])
    placed = qualified([EFFECTS[name] for name in names])
    with torch.no_grad():
        neutral = make_neutral(Bench(song, placed), plan_of([]))
    return rendered, song, placed, neutral.settings


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "energies"),
    [
        ("slow_reveal", ()),
        ("climb_to_climax", ()),
        ("premature_climax", ()),
        ("anti_climax", ()),
        ("sections", (("one", 8, 0.3), ("two", 8, 0.9), ("three", 8, 0.5), ("four", 8, 0.1))),
        (None, (("a", 4, 0.2), ("b", 16, 0.6), ("c", 8, 0.9), ("d", 8, 0.4), ("e", 2, 0.7))),
    ],
)
@pytest.mark.parametrize(("level_db", "brightness_db"), [(1.5, 0.0), (1.5, 1.0)])
def test_daiws_marked_song_follows_what_was_asked(grief_marked, name, energies, level_db, brightness_db):
    rendered, song, placed, settings = grief_marked
    shape = form_of(name, energies, rendered.sections, rendered.duration_s, rendered.density)
    desk = Bench(with_form(song, shape), placed)
    knobs = {"automation.level_db": level_db, "automation.brightness_db": brightness_db}
    with torch.no_grad():
        follows(desk, shape, {**settings, **knobs}, level_db)


@pytest.mark.slow
def test_daiws_marked_song_drifts(grief_marked):
    rendered, song, placed, settings = grief_marked
    desk = Bench(with_form(song, form_of("steady", (), rendered.sections, rendered.duration_s)), placed)
    settings = {**settings, "automation.drift_db": 3.0}
    with torch.no_grad():
        moved, still = (whole(take(desk, settings, still=still).sound) for still in (False, True))
    length = song.x.shape[-1] - song.tail
    tenth = length // 10
    ends, starts = (
        tilt_db(moved[..., part], song.rate) - tilt_db(still[..., part], song.rate)
        for part in (slice(length - tenth, length), slice(tenth))
    )
    assert ends - starts == pytest.approx(3.0, rel=0.25)
