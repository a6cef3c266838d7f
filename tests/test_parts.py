"""One part edited inside its song: what is asked arrives, what nobody spoke of keeps every bit."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from daiw_master.audio import Audio
from daiw_master.errors import OutOfRangeError, UnknownNameError
from daiw_master.meters.loudness import integrated_loudness
from daiw_master.midi import Stem, render_midi
from daiw_master.moves import PART_ROLES
from daiw_master.parts import SEND_WEIGHTS, check_edits, edited, part_space, send_of
from daiw_master.stack import EFFECTS

RATE = 44100


def player(role: str, tone_hz: float, level: float = 0.05, seed: int = 0) -> Stem:
    """Four seconds of a player who strikes twice a second: a tone and some breath."""
    time = torch.arange(4 * RATE) / RATE
    breath = torch.randn(2, time.numel(), generator=torch.Generator().manual_seed(seed))
    sound = torch.sin(2 * math.pi * tone_hz * time) + 0.3 * breath
    struck = level * sound * torch.exp(-4.0 * (time % 0.5))
    return Stem(role, Audio(struck, RATE), role, role in ("drums", "kick"), None, None, 40, 80)


@pytest.fixture(scope="module")
def band() -> tuple[Stem, ...]:
    pitches = {"lead": 880.0, "keys": 440.0, "bass": 80.0, "drums": 3000.0, "kick": 60.0}
    return tuple(player(role, hz, seed=i) for i, (role, hz) in enumerate(pitches.items()))


def mixed(stems) -> Audio:
    return Audio(sum(stem.audio.samples for stem in stems), RATE)


def stem_of(stems, *roles) -> torch.Tensor:
    return sum(stem.audio.samples for stem in stems if stem.role in roles)


def loudness(samples: torch.Tensor) -> float:
    return float(integrated_loudness(samples.unsqueeze(0), RATE))


def heard(song, stems, *roles) -> torch.Tensor:
    """What these roles play in an edited mix: all that is not the others."""
    return song.mix.samples - sum(stem.audio.samples for stem in stems if stem.role not in roles)


@pytest.mark.parametrize("gain_db", [-9.0, -4.0, -1.0, 2.0, 6.0])
@pytest.mark.parametrize(
    "effects",
    [{}, {"eq.peak_4_gain_db": -4.0, "dynamics.threshold_db": -36.0, "dynamics.ratio": 4.0}],
    ids=["fader", "fader after effects"],
)
def test_the_lead_moves_against_the_rest_by_what_was_asked(band, gain_db, effects):
    song = edited(mixed(band), band, {"lead": {"gain_db": gain_db, **effects}})
    change = loudness(heard(song, band, "lead")) - loudness(stem_of(band, "lead"))
    assert change == pytest.approx(gain_db, abs=0.3)
    assert song.applied["lead"] == pytest.approx(change, abs=0.05)
    assert not song.notes


def test_stems_edited_still_sum_to_the_mix(band):
    song = edited(mixed(band), band, {"lead": {"gain_db": -6.0}, "bass": {"gain_db": 3.0}})
    rest = stem_of(band, "keys", "drums", "kick")
    faded = stem_of(band, "lead") * 10 ** (-6 / 20) + stem_of(band, "bass") * 10 ** (3 / 20)
    assert song.mix.samples.sub(rest + faded).abs().max() < 1e-6


@pytest.mark.parametrize(
    "edits",
    [
        {},
        {"lead": {}},
        {"lead": {"gain_db": 0.0, "send_db": 0.0, "eq.tilt_db": 0.0}},
        {"pad": {"gain_db": -4}},
    ],
)
def test_without_an_edit_the_mix_is_the_same_bytes(band, edits):
    mix = mixed(band)
    before = mix.samples.clone()
    song = edited(mix, band, edits)
    assert torch.equal(song.mix.samples, before)
    assert not song.send_gains and not song.applied


def test_editing_leaves_mix_and_stems_alone(band):
    mix = mixed(band)
    before = [mix.samples.clone(), *(stem.audio.samples.clone() for stem in band)]
    edited(mix, band, {role: {"gain_db": -3.0, "eq.tilt_db": 2.0} for role in ("lead", "kick", "drums")})
    after = [mix.samples, *(stem.audio.samples for stem in band)]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_silent_moments_of_a_faded_part_keep_every_bit(band):
    lead = band[0].audio.samples.clone()
    lead[:, 2 * RATE :] = 0.0
    stems = (replace(band[0], audio=Audio(lead, RATE)), *band[1:])
    song = edited(mixed(stems), stems, {"lead": {"gain_db": -6.0}})
    assert torch.equal(song.mix.samples[:, 2 * RATE :], mixed(stems).samples[:, 2 * RATE :])


def test_a_presence_dip_is_heard_on_the_lead_alone(band):
    song = edited(mixed(band), band, {"lead": {"eq.peak_4_hz": 2800.0, "eq.peak_4_gain_db": -6.0}})
    before, after = stem_of(band, "lead"), heard(song, band, "lead")

    def band_db(samples, low_hz, high_hz):
        power = torch.fft.rfft(samples).abs().square().sum(0)
        hz = torch.fft.rfftfreq(samples.shape[-1], 1 / RATE)
        return 10 * math.log10(float(power[(hz > low_hz) & (hz < high_hz)].sum()))

    presence = band_db(after, 2500, 3100) - band_db(before, 2500, 3100)
    elsewhere = band_db(after, 9000, 15000) - band_db(before, 9000, 15000)
    assert presence - elsewhere == pytest.approx(-6.0, abs=0.7)


def test_a_stem_hears_its_effects_at_the_house_level(band):
    """A threshold means the same on a soft stem: compressing it equals compressing it 20 dB up."""
    squeeze = {"lead": {"dynamics.threshold_db": -30.0, "dynamics.ratio": 4.0}}
    louder = tuple(
        replace(stem, audio=Audio(stem.audio.samples * 10.0, RATE)) if stem.role == "lead" else stem
        for stem in band
    )
    soft = heard(edited(mixed(band), band, squeeze), band, "lead")
    loud = heard(edited(mixed(louder), louder, squeeze), louder, "lead")
    assert (soft * 10.0 - loud).abs().max() < 1e-4
    assert (soft - stem_of(band, "lead")).abs().max() > 1e-3


def test_the_drums_are_the_whole_kit(band):
    song = edited(mixed(band), band, {"drums": {"gain_db": -6.0}})
    kit = stem_of(band, "drums", "kick")
    assert heard(song, band, "drums", "kick").sub(kit * 10 ** (-6 / 20)).abs().max() < 1e-6
    both = edited(mixed(band), band, {"drums": {"gain_db": -6.0}, "kick": {"gain_db": 4.0}})
    wanted = (stem_of(band, "drums") + stem_of(band, "kick") * 10 ** (4 / 20)) * 10 ** (-6 / 20)
    assert heard(both, band, "drums", "kick").sub(wanted).abs().max() < 1e-6


def test_the_send_follows_the_fader_and_its_own_knob(band):
    song = edited(mixed(band), band, {"lead": {"gain_db": -4.0, "send_db": 6.0}, "keys": {"send_db": -3.0}})
    assert song.send_gains == pytest.approx({"lead": 2.0, "keys": -3.0})
    pairs = [(stem.role, stem.audio) for stem in band]
    send, plain = send_of(pairs, song.send_gains), send_of(pairs)
    wanted = stem_of(band, "lead") * 10 ** (2 / 20) + stem_of(band, "keys") * 10 ** (-3 / 20)
    wanted = wanted + 0.5 * stem_of(band, "drums")
    assert (send.samples - wanted).abs().max() < 1e-6
    assert torch.equal(send_of(pairs, {}).samples, plain.samples)


def test_what_stays_out_of_the_reverb_stays_out_and_that_is_said(band):
    song = edited(mixed(band), band, {"bass": {"send_db": 6.0}})
    assert not song.send_gains and "bass" in song.notes[0] and "reverb" in song.notes[0]
    assert set(SEND_WEIGHTS) <= set(PART_ROLES)


def test_a_missing_part_is_told_with_its_reason(band):
    song = edited(mixed(band), band, {"pad": {"gain_db": -4.0}})
    (told,) = song.notes
    assert told.startswith("no pad here") and "lead, keys, bass" in told and told.endswith("left alone")
    piano = (player("keys", 440.0),)
    detected = ("no lead: a single piano carries everything", "keys: track 'Piano' (by name)")
    song = edited(mixed(piano), piano, {"lead": {"gain_db": -4.0}}, detected)
    assert song.notes == (
        "no lead here: a single piano carries everything; what was asked of the lead is left alone",
    )


def test_a_part_that_is_the_whole_song_has_nothing_to_stand_behind():
    flute = (player("lead", 880.0),)
    song = edited(mixed(flute), flute, {"lead": {"gain_db": -6.0, "send_db": 3.0}})
    assert torch.equal(song.mix.samples, flute[0].audio.samples)
    assert "whole song" in song.notes[0] and not song.send_gains
    toned = edited(mixed(flute), flute, {"lead": {"gain_db": -6.0, "eq.tilt_db": -3.0}})
    assert toned.applied["lead"] == pytest.approx(0.0, abs=0.05)
    assert not torch.equal(toned.mix.samples, flute[0].audio.samples)


def test_a_stem_per_part_gives_the_same_as_a_stem_per_role(band):
    halves = tuple(
        half
        for stem in band
        for half in [replace(stem, audio=Audio(stem.audio.samples * 0.5, RATE), name=f"{stem.name} {n}")
                     for n in (1, 2)]
    )  # fmt: skip
    edits = {"lead": {"gain_db": -5.0, "eq.tilt_db": -2.0}}
    one, many = edited(mixed(band), band, edits), edited(mixed(band), halves, edits)
    assert (one.mix.samples - many.mix.samples).abs().max() < 1e-6


@pytest.mark.parametrize("level", [1e-5, 1e-3])
def test_the_softest_stem_is_edited_like_any_other(band, level):
    stems = (*band[1:], player("lead", 880.0, level=level))
    song = edited(mixed(stems), stems, {"lead": {"gain_db": -6.0, "eq.tilt_db": 2.0}})
    assert song.applied["lead"] == pytest.approx(-6.0, abs=0.1)


def test_a_stem_without_a_sound_is_a_part_that_is_not_there(band):
    silent = replace(player("pad", 300.0), audio=Audio(torch.zeros(2, 4 * RATE), RATE))
    song = edited(mixed(band), (*band, silent), {"pad": {"gain_db": -4.0, "eq.tilt_db": 1.0}})
    assert song.notes and not song.applied
    assert torch.isfinite(song.mix.samples).all()


def test_knobs_are_checked_by_name_and_range():
    with pytest.raises(UnknownNameError, match="did you mean lead"):
        check_edits({"leed": {"gain_db": 1.0}})
    with pytest.raises(UnknownNameError, match=r"eq\.peak_4_gain_db"):
        check_edits({"lead": {"eq.peek_4_gain_db": 1.0}})
    with pytest.raises(OutOfRangeError, match=r"lead\.gain_db is -60; it must lie between -24 and 12 dB"):
        check_edits({"lead": {"gain_db": -60.0}})
    with pytest.raises(OutOfRangeError, match=r"lead\.dynamics\.ratio"):
        check_edits({"lead": {"dynamics.ratio": 99.0}})
    with pytest.raises(UnknownNameError):
        check_edits({"lead": {"limiter.ceiling_dbtp": -1.0}})  # no part has a limiter of its own


def test_every_knob_of_a_parts_effects_is_offered():
    names = {f"eq.{param.name}" for param in EFFECTS["eq"].params}
    names |= {f"dynamics.{param.name}" for param in EFFECTS["dynamics"].params}
    assert names | {"gain_db", "send_db"} <= set(part_space())


def test_a_rendered_song_with_its_lead_buried(tiny_song):
    rendered = render_midi(tiny_song, stems="roles")
    assert any(line.startswith("lead: track 'part 0'") for line in rendered.detected)
    song = edited(rendered.mix, rendered.stems, {"lead": {"gain_db": -6.0}}, rendered.detected)
    change = loudness(heard(song, rendered.stems, "lead")) - loudness(stem_of(rendered.stems, "lead"))
    assert change == pytest.approx(-6.0, abs=0.3)
    assert next(stem for stem in rendered.stems if stem.role == "lead").detected == "by density"
