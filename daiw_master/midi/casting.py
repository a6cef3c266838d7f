"""Who leads: the roles of a song's parts, settled among themselves.

Heard alone, four string players are four leads; heard together, one leads and three accompany. Among
lead, keys, pad and other nothing changes hands that the reverb sends would notice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from daiw_master.midi.melody import Line, lines, melody_score
from daiw_master.midi.roles import Found

if TYPE_CHECKING:
    from daiw_master.midi.parts import Part

#: Roles that carry no melody.
_GROUND = ("bass", "kick", "drums")
#: From here on General MIDI's instruments are noises: breath, seashore, gunshot.
_FIRST_NOISE = 120
#: Keyboards one player plays with two hands, and what to call them.
_KEYBOARDS = {program: "piano" for program in range(6)} | {6: "harpsichord", 7: "clavinet"}
_KEYBOARDS |= {program: "organ" for program in range(16, 21)}
#: Staves of one keyboard, as engravers call them.
_HAND = re.compile(r"\b(?:up(?:per)?|down|low(?:er)?|right|left|(?:right|left)hand|[rl]h)\b", re.IGNORECASE)


def settle(
    parts: Sequence[Part], alone: Sequence[Found], programmed: Sequence[bool]
) -> tuple[list[Found], str]:
    """Roles of all parts of one song, and why it has no lead ("" where it has one).

    `alone` is what each part seems to be by itself; `programmed`, whether the file chose its program.
    A lead by name stands, and so does every job a name states; else one part leads, the one most like
    a melody.
    """
    settled = list(alone)
    melodic = [i for i, found in enumerate(alone) if _may_sing(parts[i], found)]
    if not melodic:
        return settled, "only drums and bass play here"
    named = [i for i in melodic if alone[i].firm and alone[i].role == "lead"]
    keyboard = _one_keyboard(parts, programmed)
    if keyboard and not named:
        for i in melodic:
            settled[i] = alone[i] if alone[i].how == "name" else Found("keys", "program")
        return settled, f"a single {keyboard} carries everything"
    heard = dict(zip(melodic, lines([parts[i].notes for i in melodic]), strict=True))
    leads, reason = (named, "") if named else _choose(parts, alone, heard)
    for i in melodic:
        if alone[i].firm:
            continue
        if i in leads:
            settled[i] = _leading(alone, i, heard[i])
        elif alone[i].role == "lead" or alone[i].how == "density":
            settled[i] = _supporting(heard[i], alone[i])
    return settled, reason


def _may_sing(part: Part, found: Found) -> bool:
    return found.role not in _GROUND and (part.program < _FIRST_NOISE or found.firm)


def _choose(parts: Sequence[Part], alone: Sequence[Found], heard: dict[int, Line]) -> tuple[list[int], str]:
    """The part that leads where no name says so, or why none does."""
    free = [i for i in heard if not alone[i].firm]
    if not free:
        return [], "the track names give every part another job"
    if len(heard) == 1:
        only = free[0]
        if alone[only].role == "lead" or (len(parts) > 1 and heard[only].is_melodic):
            return [only], ""
        return [], f"{parts[only].called} plays melody and chords at once"
    return [max(free, key=lambda i: melody_score(heard[i], parts[i].program))], ""


def _one_keyboard(parts: Sequence[Part], programmed: Sequence[bool]) -> str:
    """What it is called, if the whole song is one player at one keyboard; else ""."""
    programs = {part.program for part in parts}
    if len(programs) > 1 or any(part.is_drum for part in parts):
        return ""
    alike = len(parts) == 1 or all(programmed) or all(_HAND.search(part.name) for part in parts)
    return _KEYBOARDS.get(programs.pop(), "") if alike else ""


def _leading(alone: Sequence[Found], i: int, line: Line) -> Found:
    """The lead, and what gave it away."""
    rivals = [k for k, found in enumerate(alone) if found.role == "lead" and k != i]
    if alone[i].role == "lead" and not rivals:
        return alone[i]
    voice = "one voice" if line.is_melodic else "the most song-like part"
    why = f"{voice}, on top for {line.on_top:.0%} of its time, sounding for {line.sounding:.0%} of the song"
    return Found("lead", "density", why=why)


def _supporting(line: Line, alone: Found) -> Found:
    """What a part does that could have led, or of which nothing else is known."""
    if line.is_sustained:
        return Found("pad", "density", why="slow and held")
    if alone.how == "density" and not line.is_melodic:
        return Found("keys", "density", why="chords")
    return Found("other", "density", why="a second voice")


#: A line of what was detected names this many parts.
_NAMED = 4


def told(parts: Iterable[Part], no_lead: str) -> tuple[str, ...]:
    """What was detected, one line a role and reason, in score order: lead first, drums last."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for part in parts:
        found = part.found
        groups.setdefault((found.role, found.how, found.why), []).append(part.called)
    said = [] if not no_lead else [f"no lead: {no_lead}"]
    for (role, how, why), names in sorted(groups.items(), key=lambda item: _SCORE_ORDER.index(item[0][0])):
        shown = ", ".join(names[:_NAMED])
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        said.append(f"{role}: {shown}{more} (by {how}{': ' if why else ''}{why})")
    return tuple(said)


_SCORE_ORDER = ("lead", "keys", "pad", "other", "bass", "kick", "drums")
