"""Faults with known sizes, made by hand, against the meters that must find them."""

from __future__ import annotations

import math

import pytest
import torch

from daiw_master.errors import InputError
from daiw_master.meters.imperfection import (
    clip_share,
    drift_db,
    end_hardness_db,
    end_lift_db,
    highs_db,
    level_between_db,
    noise_floor_db,
    part_change_db,
    pitch_cents,
    section_peak,
    tail_s,
    wow_cents,
)

RATE = 22050


def seconds(length: float) -> torch.Tensor:
    return torch.arange(round(length * RATE), dtype=torch.float64) / RATE


def chord(t: torch.Tensor, hz=(220.0, 277.2, 330.0), partials: int = 6) -> torch.Tensor:
    """Held notes with partials on a bent or straight clock `t`: (1, 2, time), about -20 dBFS."""
    mono = sum(torch.sin(2 * math.pi * f * k * t + f * k) / k for f in hz for k in range(1, partials + 1))
    return (0.1 * mono / mono.std()).expand(1, 2, -1)


def hush(length: float, level_db: float, seed: int = 1) -> torch.Tensor:
    noise = torch.randn(1, 2, round(length * RATE), generator=torch.Generator().manual_seed(seed))
    return noise.double() * 10 ** (level_db / 20)


def notes(length: float = 8.0, every_s: float = 0.5, fall_s: float = 0.08) -> torch.Tensor:
    t = seconds(length)
    return chord(t) * torch.exp(-(t % every_s) / fall_s)


class TestNoiseFloor:
    @pytest.mark.parametrize("level_db", [-70.0, -50.0, -30.0])
    def test_reads_the_bed_in_a_gap(self, level_db):
        music = chord(seconds(5)).clone()
        music[..., 2 * RATE : 3 * RATE] = 0
        # 400 ms of noise: the quietest of many windows lies a fraction of a dB under the mean
        assert float(noise_floor_db(music + hush(5, level_db), RATE)) == pytest.approx(level_db, abs=0.6)

    def test_music_without_a_gap_has_itself_for_a_floor(self):
        assert float(noise_floor_db(chord(seconds(3)), RATE)) == pytest.approx(-20, abs=1)

    def test_digital_silence_is_a_number(self):
        assert float(noise_floor_db(torch.zeros(1, 2, RATE), RATE)) == -120


class TestWrittenSilence:
    def test_what_sounds_in_it_against_the_music(self):
        music = chord(seconds(5)).clone()
        music[..., 2 * RATE : 3 * RATE] *= 10 ** (-34 / 20)
        assert float(level_between_db(music, RATE, 2.1, 2.9)) == pytest.approx(-34, abs=0.5)

    def test_gain_changes_nothing(self):
        music = notes()
        assert float(level_between_db(music, RATE, 1.4, 1.5)) == pytest.approx(
            float(level_between_db(0.1 * music, RATE, 1.4, 1.5))
        )

    @pytest.mark.parametrize("stretch", [(4.0, 6.0), (-1.0, 1.0), (2.0, 2.0)])
    def test_a_stretch_outside_the_sound_is_refused(self, stretch):
        with pytest.raises(InputError, match="5.00 s long"):
            level_between_db(chord(seconds(5)), RATE, *stretch)


class TestEnding:
    def test_a_note_cut_in_its_middle_is_hard(self):
        assert float(end_hardness_db(chord(seconds(3)), RATE)) == pytest.approx(60, abs=4)

    def test_silence_behind_the_cut_is_no_part_of_it(self):
        music = chord(seconds(3))
        later = torch.nn.functional.pad(music, (0, RATE))
        assert float(end_hardness_db(later, RATE)) == pytest.approx(
            float(end_hardness_db(music, RATE)), abs=2
        )

    def test_a_tail_that_dies_away_is_soft(self):
        t = seconds(6)
        music = chord(t) * torch.where(t < 3, 1.0, torch.exp(-(t - 3) / 0.2))
        assert float(end_hardness_db(music, RATE)) < 3

    def test_half_a_tail_lies_between(self):
        t = seconds(3.8)  # cut 35 dB down
        music = chord(t) * torch.where(t < 3, 1.0, torch.exp(-(t - 3) / 0.2))
        assert 15 < float(end_hardness_db(music, RATE)) < 30

    def test_how_long_it_rings(self):
        t = seconds(8)
        fall = torch.where(t < 3, 1.0, torch.exp(-(t - 3) / 0.2))
        # 60 dB at 8.686 dB per 0.2 s, and the 10 dB or so by which this chord's peaks stand over its level
        assert float(tail_s(chord(t) * fall, RATE, 3.0)) == pytest.approx(70 / 8.686 * 0.2, abs=0.08)

    def test_silence_ends_nowhere(self):
        assert float(end_hardness_db(torch.zeros(1, 2, RATE), RATE)) == 0


class TestPitch:
    @pytest.mark.parametrize(("cents", "hz"), [(4.0, 0.8), (9.0, 0.45), (20.0, 0.6)])
    def test_wow_of_a_known_depth(self, cents, hz):
        t = seconds(8)
        depth = 2 ** (cents / 1200) - 1
        bent = t + depth / (2 * math.pi * hz) * torch.sin(2 * math.pi * hz * t)
        found = float(wow_cents(chord(bent), chord(t), RATE))
        assert found == pytest.approx(cents, rel=0.15)

    def test_found_under_hiss_loss_of_highs_and_another_level(self):
        t = seconds(8)
        depth, hz = 2 ** (9 / 1200) - 1, 0.5
        bent = chord(t + depth / (2 * math.pi * hz) * torch.sin(2 * math.pi * hz * t), partials=2)
        assert float(wow_cents(0.3 * bent + hush(8, -60), chord(t), RATE)) == pytest.approx(9, rel=0.25)

    def test_steady_pitch_reads_nothing(self):
        music = chord(seconds(6))
        assert float(wow_cents(0.5 * music, music, RATE)) < 0.2

    def test_a_tuning_that_is_merely_off_is_no_wow(self):
        t = seconds(6)
        sharp = chord(t * 2 ** (10 / 1200))
        assert float(pitch_cents(sharp, chord(t), RATE).nanmedian()) == pytest.approx(10, abs=0.5)
        assert float(wow_cents(sharp, chord(t), RATE)) < 1

    def test_silence_has_no_pitch(self):
        assert float(wow_cents(torch.zeros(1, 2, RATE), torch.zeros(1, 2, RATE), RATE)) == 0


class TestOverTime:
    def test_drift_of_tone(self):
        t = seconds(9)
        high = hush(9, -30) - torch.nn.functional.avg_pool1d(hush(9, -30), 5, 1, 2)
        plain = chord(t) + high
        darker = chord(t) + high * 10 ** (-(6 * t / 9) / 20)  # 6 dB over the song: 4 from third to third
        assert float(drift_db(darker, RATE) - drift_db(plain, RATE)) == pytest.approx(-4, abs=0.4)

    @pytest.mark.parametrize("at", [0.25, 0.5, 0.75])
    def test_where_the_fader_was_highest(self, at):
        t = seconds(30)
        plain = notes(30)
        lift_db = 4 * torch.exp(-(((t / 30 - at) / 0.1) ** 2))
        assert float(section_peak(plain * 10 ** (lift_db / 20), plain, RATE)) == pytest.approx(at, abs=0.03)

    def test_an_ending_let_down(self):
        t = seconds(30)
        plain = notes(30)
        ridden = plain * torch.where(t > 25, 10 ** (-4 / 20), 1.0)
        # 4 dB down in the last sixth: that much under the mean, which it pulls down by a sixth of itself
        assert float(end_lift_db(ridden, plain, RATE)) == pytest.approx(-4 * 5 / 6, abs=0.5)

    def test_a_plain_change_of_level_moves_no_section(self):
        plain = notes(12)
        assert float(end_lift_db(0.5 * plain, plain, RATE)) == pytest.approx(0, abs=1e-6)


class TestHighs:
    @pytest.mark.parametrize("gain_db", [-12.0, 6.0])
    def test_only_what_lies_above_9_khz_counts(self, gain_db):
        t = seconds(4)
        low, high = (0.1 * torch.sin(2 * math.pi * hz * t).expand(1, 2, -1) for hz in (500.0, 10000.0))
        plain, moved = low + 0.1 * high, low + 0.1 * 10 ** (gain_db / 20) * high
        assert float(highs_db(plain, RATE)) == pytest.approx(-20, abs=0.1)
        assert float(highs_db(moved, RATE) - highs_db(plain, RATE)) == pytest.approx(gain_db, abs=0.1)


class TestClipping:
    def test_clipped_peaks_pile_up(self):
        music = notes(6)
        clipped = music.clamp(-0.12, 0.12)
        assert float(clip_share(music, RATE)) < 0.001
        assert float(clip_share(clipped, RATE)) > 0.01

    def test_gain_is_no_clipping(self):
        music = notes(6)
        assert float(clip_share(2 * music, RATE)) == pytest.approx(float(clip_share(music, RATE)))


class TestPartInMix:
    def parts(self):
        t = seconds(10)
        lead = chord(t, (523.0,), 8) * (0.6 + 0.4 * torch.sin(2 * math.pi * 0.31 * t))
        band = chord(t, (110.0, 165.0, 523.5), 10) * torch.exp(-(t % 0.75) / 0.3) + hush(10, -50)
        return lead, band

    @pytest.mark.parametrize("gain_db", [-6.0, -2.0, 3.0])
    def test_finds_what_a_part_was_moved_by(self, gain_db):
        lead, band = self.parts()
        moved = 10 ** (gain_db / 20) * lead + band
        assert float(part_change_db(moved, lead + band, lead, band, RATE)) == pytest.approx(gain_db, abs=0.5)

    def test_gain_tone_and_a_limiter_fall_out(self):
        lead, band = self.parts()
        t = seconds(10)
        ducked = 10 ** (-6 * torch.exp(-(t % 0.75) / 0.15) / 20)  # under every stroke of the band
        dull = torch.nn.functional.avg_pool1d((0.5 * lead + band) * ducked, 7, 1, 3) * 0.4
        assert float(part_change_db(dull, lead + band, lead, band, RATE)) == pytest.approx(-6.02, abs=0.8)

    def test_the_same_mix_moved_nothing(self):
        lead, band = self.parts()
        assert float(part_change_db(lead + band, lead + band, lead, band, RATE)) == pytest.approx(0, abs=1e-9)
