"""Parts of a song: one player softer, drier or duller, and the mix that follows.

The mix stays what it is but for the difference: edited = mix + sum of (edited stem - stem), so that a
part nobody spoke of keeps every bit of its sound.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import torch

from daiw_master.audio import Audio
from daiw_master.errors import UnknownNameError
from daiw_master.knobs.reverb import SEND_WEIGHTS
from daiw_master.meters.loudness import integrated_loudness
from daiw_master.midi import Stem
from daiw_master.moves import PART_ROLES
from daiw_master.params import Param, Space
from daiw_master.stack import EFFECTS, HOUSE_ORDER
from daiw_master.stack.chain import chain_space, run_chain
from daiw_master.units import db_from_gain, gain_from_db

#: A stem hears its effects at this loudness, as a whole song would: a threshold means the same on both.
STAGE_LUFS = -20.0
#: A stem that never rises above this (-120 dBFS) is a part that is not there.
SILENCE = 1e-6
#: The fader and the send of one part. Beyond 12 dB up a part is a song of its own; 24 dB down it is gone.
LEVELS = (
    Param("gain_db", -24, 12, 0, "dB", about="the part's loudness against what it was"),
    Param("send_db", -24, 12, 0, "dB", about="how much more of the part its reverb hears, after the fader"),
)
#: What belongs to the finished song and to no single player.
_WHOLE_SONG = ("reverb", "noise", "automation", "loudness", "limiter")
_CHAIN = {name: EFFECTS[name] for name in HOUSE_ORDER if name not in _WHOLE_SONG}
#: Who answers to a role's name: the drums are the whole kit, its low end included.
_PLAYERS = {"drums": ("drums", "kick")}
#: The kick before the kit it belongs to, everyone else as they come.
_WORK_ORDER = sorted(PART_ROLES, key=lambda role: role == "drums")


@dataclass(frozen=True)
class EditedSong:
    """A mix with single parts changed.

    `send_gains` is how much louder (dB) each role's share in the reverb send becomes, `applied` the
    change of loudness measured on each edited role (LU), `notes` what was asked and could not be done.
    """

    mix: Audio
    send_gains: Mapping[str, float]
    notes: tuple[str, ...]
    applied: Mapping[str, float]


@cache
def part_space() -> Space:
    """Every knob of one part: its levels, and each effect a single player may go through."""
    levels = {param.name: param for param in LEVELS}
    return Space({**levels, **chain_space(_CHAIN)}, kind="part setting")


def check_edits(edits: Mapping[str, Mapping[str, float]]) -> None:
    """Refuse a role nobody plays (UnknownNameError), a knob that does not exist, a value out of range."""
    for role, knobs in edits.items():
        if role not in PART_ROLES:
            raise UnknownNameError("part", role, PART_ROLES)
        for knob, value in knobs.items():
            part_space()[knob].check(value, f"{role}.{knob}")


def edited(
    mix: Audio,
    stems: Sequence[Stem],
    edits: Mapping[str, Mapping[str, float]],
    detected: Sequence[str] = (),
) -> EditedSong:
    """The mix with parts changed: `edits` is role -> knob -> physical value, as in `Plan.parts`.

    `stems` are the song's, one a role or one a part, and sum to the mix. A part's effects leave its
    loudness as it was, so that `gain_db` alone says how loud it stands in the end. The reverb hears
    the part after its fader and before its effects. Where nothing is asked, the mix itself comes
    back. `detected` (`Rendered.detected`) is asked why a part is missing.
    """
    check_edits(edits)
    rest = part_space().defaults()
    sound, kick_change = mix.samples, None
    send_gains: dict[str, float] = {}
    applied: dict[str, float] = {}
    notes: list[str] = []
    for role in _WORK_ORDER:
        knobs = {name: value for name, value in edits.get(role, {}).items() if value != rest[name]}
        if not knobs:
            continue
        players = [stem for stem in stems if stem.role in _PLAYERS.get(role, (role,))]
        if not any(float(stem.audio.samples.abs().max()) > SILENCE for stem in players):
            notes.append(_missing(role, stems, detected))
            continue
        knobs, remarks = _doable(role, knobs, {stem.role for stem in players}, {stem.role for stem in stems})
        notes += remarks
        share_db = knobs.get("gain_db", 0.0) + knobs.pop("send_db", 0.0)
        for player in {stem.role for stem in players}:
            if share_db and SEND_WEIGHTS.get(player, 1.0):
                send_gains[player] = send_gains.get(player, 0.0) + share_db
        if not knobs:
            continue
        dry = sum(stem.audio.samples for stem in players)
        if role == "drums" and kick_change is not None:
            dry = dry + kick_change
        wet, applied[role] = _processed(dry, mix.rate, knobs)
        change = wet - dry
        sound = sound + change
        if role == "kick":
            kick_change = change
    return EditedSong(mix if not applied else mix.with_samples(sound), send_gains, tuple(notes), applied)


def _doable(
    role: str, knobs: Mapping[str, float], players: set[str], everyone: set[str]
) -> tuple[dict[str, float], list[str]]:
    """What of the asked this song lets happen, and a line about what it does not."""
    knobs, remarks = dict(knobs), []
    if players == everyone and knobs.keys() & {"gain_db", "send_db"}:
        knobs = {name: value for name, value in knobs.items() if name not in ("gain_db", "send_db")}
        remarks.append(f"the {role} is the whole song here: there is nothing to set its level against")
    if "send_db" in knobs and not any(SEND_WEIGHTS.get(player, 1.0) for player in players):
        del knobs["send_db"]
        remarks.append(f"the {role} stays out of the reverb, lows in a room are mud: its send is left alone")
    return knobs, remarks


def _processed(dry: torch.Tensor, rate: int, knobs: Mapping[str, float]) -> tuple[torch.Tensor, float]:
    """A stem (channels, time) through its effects and its fader, and how much louder it came out (LU)."""
    fader = gain_from_db(knobs.get("gain_db", 0.0))
    settings = {name: value for name, value in knobs.items() if name != "gain_db"}
    before = _loudness(dry, rate)
    if not settings:
        wet = dry * fader
        return wet, _loudness(wet, rate) - before
    staged = dry.unsqueeze(0) * gain_from_db(STAGE_LUFS - before)
    with torch.no_grad():
        wet = run_chain(_CHAIN, staged, rate, settings).squeeze(0)
    wet = wet * (gain_from_db(before - _loudness(wet, rate)) * fader)
    return wet, _loudness(wet, rate) - before


def _loudness(samples: torch.Tensor, rate: int) -> float:
    """Integrated loudness in LUFS however soft: the meter's gate would take a soft stem for silence."""
    peak = float(samples.abs().max())
    return float(integrated_loudness(samples.unsqueeze(0) / peak, rate)) + db_from_gain(peak)


def _missing(role: str, stems: Sequence[Stem], detected: Sequence[str]) -> str:
    """Why nothing happened: nobody here plays that."""
    reasons = [line.partition(": ")[2] for line in detected if line.startswith(f"no {role}: ")]
    there = ", ".join(dict.fromkeys(stem.role for stem in stems))
    why = reasons[0] if reasons else f"the song's parts are {there}" if there else "the song has no parts"
    return f"no {role} here: {why}; what was asked of the {role} is left alone"


def send_of(stems: Iterable[tuple[str, Audio]], gains_db: Mapping[str, float] | None = None) -> Audio | None:
    """What the reverb hears of a song that came as stems: (role, sound) pairs, weighted and summed.

    `gains_db` makes single roles' shares louder or softer (`EditedSong.send_gains`).
    None where nothing is left to send (a bass or kick alone): then the whole song is sent.
    """
    send, gains_db = None, gains_db or {}
    for role, audio in stems:
        weight = SEND_WEIGHTS.get(role, 1.0) * gain_from_db(gains_db.get(role, 0.0))
        if weight:
            part = audio.samples * weight
            send = audio.with_samples(part if send is None else send.samples + part)
    return send
