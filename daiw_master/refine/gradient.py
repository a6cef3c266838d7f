"""`--refine`: a few more steps by gradient, on the same objective, through the whole chain.

Small and honest: Adam on the differentiable knobs over the solver's windows, then one full pass. It
is kept only if the full song is closer to its asks than before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from daiw_master import house
from daiw_master.meters import heard
from daiw_master.refine.actuators import free_actuators
from daiw_master.refine.bench import Bench, Take, loudness_matched
from daiw_master.refine.guards import check_guards
from daiw_master.refine.jacobian import RANGE, RIDE
from daiw_master.refine.master import Master
from daiw_master.refine.solver import LogEntry, tasteful_eq
from daiw_master.targets import FIELDS

STEPS = 24
#: In units of an actuator's typical move: small enough that 24 steps stay near the solver's answer.
LEARNING_RATE = 0.04


def refine_by_gradient(
    bench: Bench,
    made: Master,
    progress: Callable[[str, float], None] = lambda what, done: None,
) -> Master:
    """The same master, moved by gradient where that brings the song closer to its asks."""
    actuators = [a for a in free_actuators(bench.space, made.plan.settings) if a.knob != RIDE]
    fields = [name for name in made.asks if name != RANGE]
    rate = bench.song.rate
    windows = bench.windows(made.take.settings)
    with torch.no_grad():
        still = _fields(bench.play(windows, made.take.settings), windows, rate)
    # What the windows must still move is what the song still misses.
    goal = {name: still[name] + made.asks[name].wanted - made.take.heard[name] for name in fields}
    start = torch.tensor([float(made.take.settings[a.knob]) for a in actuators])
    typical = torch.tensor([a.typical for a in actuators])
    low, high = (torch.tensor(side) for side in zip(*(a.limits(made.plan) for a in actuators), strict=True))
    move = torch.zeros_like(start, requires_grad=True)
    optimiser = torch.optim.Adam([move], lr=LEARNING_RATE)

    def knobs() -> torch.Tensor:
        return torch.minimum(
            torch.maximum(start + move * typical, torch.minimum(low, start)), torch.maximum(high, start)
        )

    with torch.enable_grad():
        for step in range(STEPS):
            progress(f"{made.plan.name}: refining", step / STEPS)
            values = {a.knob: value for a, value in zip(actuators, knobs(), strict=True)}
            got = _fields(bench.play(windows, {**made.take.settings, **values}), windows, rate)
            loss = sum(((got[name] - goal[name]) / FIELDS[name].tolerance).square() for name in fields)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    here = start.double().numpy()
    step = knobs().detach().double().numpy() - here
    step = tasteful_eq(bench, made.plan, actuators, made.take, here, step)
    moved = {a.knob: float(v) for a, v in zip(actuators, here + step, strict=True)}
    settings = bench.space.clip({**made.take.settings, **moved})
    most = house.limits()["limiter_p99_db"].hard
    take = bench.take(settings, made.plan.loudness_lufs, made.plan.ceiling_dbtp, most)
    guards = check_guards(bench, take)
    broken = {guard.name for guard in guards if not guard.holds}
    newly_broken = broken - {guard.name for guard in made.violations}
    if newly_broken or _distance(made, take) >= _distance(made, made.take):
        return replace(made, log=[*made.log, LogEntry("refine: no gain, kept", "loudness_lufs", 0, 0, 0)])
    log = [
        LogEntry("refine", name, ask.wanted, made.take.heard[name], take.heard[name])
        for name, ask in made.asks.items()
    ]
    return replace(made, take=take, guards=guards, log=[*made.log, *log])


def _fields(y: torch.Tensor, windows: torch.Tensor, rate: int) -> dict[str, torch.Tensor]:
    from daiw_master.meters.loudness import integrated_loudness

    y = loudness_matched(y, rate, integrated_loudness(windows, rate))
    return {name: value.mean() for name, value in heard(y, rate).items()}


def _distance(made: Master, take: Take) -> float:
    return sum(ask.error(take.heard[name]) ** 2 for name, ask in made.asks.items())
