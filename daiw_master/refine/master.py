"""Making a master: the neutral first, then the plan on top of it, then proof."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from daiw_master import house
from daiw_master.plan import Plan
from daiw_master.refine.asks import EMPTY_WEIGHT, Ask, ask_of, is_empty
from daiw_master.refine.automation import added_range_lu, moved_by_sections
from daiw_master.refine.bench import Bench, Progress, Take
from daiw_master.refine.done import DONE_KNOBS, DoneAsk, done_asks, set_drive, set_room
from daiw_master.refine.enforce import inside_compressor_limits, inside_stereo_limits, side_room_db
from daiw_master.refine.guards import Guard, check_guards
from daiw_master.refine.solver import LogEntry, solve
from daiw_master.targets import BANDS

#: A compressor threshold about 6 dB under staged music: it works on the body, not on single peaks.
THRESHOLD_DB = -26.0


@dataclass
class Master:
    """A finished master and everything known about how it came to be."""

    plan: Plan
    take: Take
    asks: Mapping[str, Ask]
    done: Mapping[str, DoneAsk]
    guards: list[Guard]
    neutral_heard: Mapping[str, float]
    log: list[LogEntry] = field(default_factory=list)
    at_limit: Mapping[str, str] = field(default_factory=dict)

    @property
    def violations(self) -> list[Guard]:
        """The limits broken that nobody lifted."""
        return [guard for guard in self.guards if not guard.holds and guard.name not in self.plan.lifted]


def make_neutral(bench: Bench, plan: Plan, progress: Progress = lambda what, done: None) -> Take:
    """This song, competently finished: its room, its stereo inside the limits, tone a third of the
    way back where it lies outside the envelope (MIDI renders only), loudness and ceiling met.

    Uses the knobs the user pinned, and nothing of the feeling.
    """
    bare = replace(
        plan, name="neutral", shifts={}, wanted={}, character={}, settings=plan.own_settings,
        delivery=plan.neutral_delivery,
    )  # fmt: skip
    progress("neutral: the room", 0.0)
    settings = _resting(bench, bare)
    settings = set_room(
        bench, bare, settings, done_asks(bare, bench.song.is_midi, bench.song.send is not None)
    )
    progress("neutral: first take", 0.3)

    def stereo(take: Take) -> Take:
        # a render is narrowed to what taste allows, so that a feeling may widen it again; a finished
        # file only to what is safe
        again = partial(_take, bench, bare)
        return inside_stereo_limits(bench, take, again, tasteful=bench.song.is_midi)

    take = stereo(_take(bench, bare, settings))
    if not bench.song.is_midi:
        return take
    asks = _tone_asks(take.heard)
    if take.delivered.reached and not any(asks[band].by for band in BANDS):
        return take
    progress("neutral: tone", 0.6)
    solved = solve(bench, bare, take.settings, asks, first=take, progress=progress).take
    settings = inside_compressor_limits(bench, bare, dict(solved.settings))
    return stereo(_take(bench, bare, settings))


def make_master(
    bench: Bench, plan: Plan, neutral: Take, progress: Progress = lambda what, done: None
) -> Master:
    """The plan on top of the song's neutral: room and drive set and proven, the rest solved."""
    done = done_asks(plan, bench.song.is_midi, bench.song.send is not None)
    done = {name: ask for name, ask in done.items() if DONE_KNOBS[name] in bench.space}
    asks = ask_of(plan, neutral.heard, bench.song.duration_s, side_room_db(bench, neutral))
    if plan.is_neutral:
        take, log, at_limit = neutral, [], {}
    else:
        character = {
            knob: bench.space[knob].check(value, knob)
            for knob, (value, _) in plan.character.items()
            if knob in bench.space
        }
        # the plan's chain may be another than the neutral's: what it adds starts at rest
        finished = {knob: value for knob, value in neutral.settings.items() if knob in bench.space}
        settings = {**bench.space.defaults(), **finished, **character, **plan.settings}
        settings = set_room(bench, plan, settings, done)
        settings, done = set_drive(bench, plan, settings, done)
        solution = solve(bench, plan, settings, asks, progress=progress)
        take, asks, plan = solution.take, solution.asks, solution.plan
        log, at_limit = solution.log, solution.at_limit
        # the solver has changed what reaches the exciter
        settings, done = set_drive(bench, plan, dict(take.settings), done)
        take = replace(take, settings=settings)
    if take is not neutral:
        progress(f"{plan.name}: delivering", 0.9)
        settings = inside_compressor_limits(bench, plan, dict(take.settings))
        again = partial(_take, bench, plan)
        take = inside_stereo_limits(bench, again(settings), again, lifted=plan.lifted)
        asks = moved_by_sections(asks, added_range_lu(bench, take.settings, take.delivered))
    guards = check_guards(bench, take)
    return Master(plan, take, asks, done, guards, neutral.heard, log, at_limit)


def _resting(bench: Bench, plan: Plan) -> dict[str, float]:
    """Every knob at rest but for the house's own two: where the compressor listens, and mono bass."""
    settings = bench.space.defaults()
    house_knobs = {
        "dynamics.threshold_db": THRESHOLD_DB,
        "imager.correlation_floor": house.limits()["correlation_p5"].default + 0.02,
    }
    settings.update({knob: value for knob, value in house_knobs.items() if knob in bench.space})
    settings.update({k: v for k, v in plan.settings.items() if k in bench.space})
    return settings


def _take(bench: Bench, plan: Plan, settings: Mapping[str, float]) -> Take:
    most = house.limits()["limiter_p99_db"].hard
    return bench.take(settings, plan.loudness_lufs, plan.ceiling_dbtp, most)


def _tone_asks(heard: Mapping[str, float]) -> dict[str, Ask]:
    """Bands outside the envelope, a third of the way back; everything else stays."""
    share = float(house.neutral()["tone_share"])
    most = house.limits()["eq_band_db"].default
    asks = {}
    for name, value in heard.items():
        by = 0.0
        if name in BANDS and not is_empty(name, heard):
            low, high = house.envelope()[name]
            by = max(-most, min(most, share * (min(max(value, low), high) - value)))
            by = by if abs(by) > 0.25 else 0.0
        why = "towards where finished music lies" if by else ""
        weight = EMPTY_WEIGHT if is_empty(name, heard) else 1.0
        asks[name] = Ask(name, value + by, by, why, weight=weight)
    return asks
