"""Which flows play an effect live: its own, in small blocks, or a variant that looks less far ahead."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from daiw_master.errors import InputError
from daiw_master.knobs.imager import PARAMS as WIDTHS
from daiw_master.live.exciter import LiveExciter
from daiw_master.live.imager import LiveFloor, LiveWidth
from daiw_master.live.limiter import LiveLimiter
from daiw_master.live.loudness import LiveLoudness
from daiw_master.stack.effect import Effect
from daiw_master.stack.exciter import NONE_DB
from daiw_master.stack.flow import Flow

#: No effect may be later than this; at rates below 44.1 kHz, than so many samples.
MOST_MS, MOST_SAMPLES = 10.0, 441
#: A plugin that still gives nothing after this many samples looks ahead without end.
NEVER = 1 << 40

Settings = Mapping[str, float]


@dataclass(frozen=True)
class Desk:
    """What every flow of a live chain shares. `gain_db`: a fixed gain in place of one that follows."""

    rate: int
    channels: int
    block: int
    gain_db: float | None = None

    def flows(self, place: str, effect: Effect, settings: Settings) -> Sequence[Flow]:
        """An effect at complete settings; nothing where it rests.

        Raises `InputError` where it must hear the whole song first or looks further than `MOST_MS` ahead.
        """
        if effect.rests_at(settings):
            return ()
        build = _VARIANTS.get(effect.name) or _own(effect)
        flows = build(self, settings)
        if flows is None:
            plays = ", ".join(sorted(_VARIANTS))
            raise InputError(
                f"{place} cannot play live: it has no form that goes block by block (house forms: {plays})"
            )
        if any(flow.hears_first for flow in flows):
            why = "set dynamics.ride to 0" if effect.name == "dynamics" else f"leave {place} out of the chain"
            raise InputError(f"{place} cannot play live: it must hear the whole song first; {why}")
        late = latency_of(flows)
        if late > max(MOST_MS * self.rate / 1000, MOST_SAMPLES):
            ahead = "the whole song" if late >= NEVER else f"{1000 * late / self.rate:.1f} ms"
            raise InputError(
                f"{place} cannot play live: at these settings it looks {ahead} ahead; "
                f"at most {MOST_MS:g} ms are allowed"
            )
        return flows


def latency_of(flows: Sequence[Flow]) -> int:
    """How many samples a row of flows may hold back."""
    return sum(flow.latency for flow in flows)


def _exciter(desk: Desk, settings: Settings) -> Sequence[Flow]:
    return () if settings["mix_db"] == NONE_DB else (LiveExciter(desk.rate, settings, desk.block),)


def _imager(desk: Desk, settings: Settings) -> Sequence[Flow]:
    if desk.channels == 1:
        return ()
    *widths, floor = WIDTHS
    flows: list[Flow] = []
    if any(settings[width.name] != width.default for width in widths):
        flows.append(LiveWidth(desk.rate, settings, desk.block))
    if settings[floor.name] != floor.default:
        flows.append(LiveFloor(desk.rate, settings[floor.name]))
    return flows


def _loudness(desk: Desk, settings: Settings) -> Sequence[Flow]:
    return (LiveLoudness(desk.rate, desk.channels, settings["loudness_lufs"], desk.gain_db),)


def _limiter(desk: Desk, settings: Settings) -> Sequence[Flow]:
    return (LiveLimiter(desk.rate, desk.block, **settings),)


def _own(effect: Effect) -> Callable[[Desk, Settings], Sequence[Flow] | None]:
    def build(desk: Desk, settings: Settings) -> Sequence[Flow] | None:
        if effect.flow is not None:
            return effect.flow(desk.rate, desk.channels, block=desk.block, **settings)
        return None

    return build


_VARIANTS: dict[str, Callable[[Desk, Settings], Sequence[Flow]]] = {
    "exciter": _exciter,
    "imager": _imager,
    "loudness": _loudness,
    "limiter": _limiter,
}
