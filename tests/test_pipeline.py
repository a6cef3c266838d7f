"""What a user of the library relies on, end to end, on a five-second song."""

from __future__ import annotations

import errno
import json
import os

import numpy as np
import pyloudnorm
import pytest
import torch
from scipy import signal

import daiw_master as dm
from daiw_master.errors import InputError, OutOfRangeError, UnknownNameError, WriteError
from daiw_master.files import read_audio, write_audio
from daiw_master.pipeline import Options, chain_of, master_many, render_many, split_settings
from daiw_master.stack.plugin import effect_from_pedalboard
from daiw_master.targets import BANDS, HEARD
from tests import signals

RATE = 44100


def audio(seconds: float = 4.0, gain: float = 0.3) -> dm.Audio:
    return dm.Audio(gain * signals.music(seconds)[0], RATE)


def lufs_by_pyloudnorm(sound: dm.Audio) -> float:
    return pyloudnorm.Meter(sound.rate).integrated_loudness(sound.samples.T.double().numpy())


def true_peak_by_scipy_db(sound: dm.Audio) -> float:
    """16x oversampled peak with a filter of our own choice: Kaiser window, 100 dB, pass band to 0.45 fs."""
    taps, beta = signal.kaiserord(100.0, 0.1 / 16)
    low_pass = 16 * signal.firwin(taps | 1, 0.5 / 16 * 2, window=("kaiser", beta))
    fine = signal.upfirdn(low_pass, sound.samples.double().numpy(), up=16, axis=-1)
    return float(20 * np.log10(np.abs(fine).max()))


@pytest.mark.parametrize("feeling", ["neutral", "grief", "rage"])
def test_a_master_meets_loudness_and_ceiling_by_other_peoples_meters(masters, feeling, tmp_path):
    result = masters[feeling]
    loudness, peak = result.report.row("loudness_lufs"), result.report.row("true_peak_dbtp")
    assert loudness.verdict == peak.verdict == "met"
    written = read_audio(result.write(tmp_path / "song.wav", bit_depth=24))
    assert lufs_by_pyloudnorm(written) == pytest.approx(loudness.asked, abs=0.1)
    # dither may lift a peak by 0.002 dB
    assert true_peak_by_scipy_db(written) <= peak.asked + 0.002
    assert written.samples.isfinite().all() and written.samples.abs().max() < 1.0


@pytest.mark.parametrize("feeling", ["neutral", "grief", "rage"])
def test_no_house_limit_is_broken_and_the_end_is_faded(masters, feeling, tiny_song):
    result = masters[feeling]
    assert [guard.guard for guard in result.report.guards if not guard.holds] == []
    assert result.audio.duration_s >= 5.0, "never shorter than the song"
    assert result.audio.samples[:, -1].abs().max() < 10 ** (-80 / 20)


def test_feelings_differ_from_each_other_and_from_neutral(masters):
    neutral, grief, rage = (masters[name].report for name in ("neutral", "grief", "rage"))
    assert (
        grief.row("loudness_lufs").after
        < neutral.row("loudness_lufs").after
        < rage.row("loudness_lufs").after
    )
    assert grief.row("reverb_decay_s").after > 2 * neutral.row("reverb_decay_s").after
    assert grief.row("band_presence_db").after < neutral.row("band_presence_db").after
    assert rage.row("band_high_mid_db").after > neutral.row("band_high_mid_db").after
    assert rage.row("drive_db").after > -35 and grief.row("drive_db").after == -60


@pytest.mark.parametrize("strength", ["0", "loudness=0,bands=0,width=0,dynamics=0,space=0,drive=0"])
def test_strength_nought_is_neutral_to_the_byte(masters, tiny_song, tmp_path, strength):
    none = dm.render(tiny_song, "grief", strength=strength)
    paths = [
        result.write(tmp_path / name, report=False)
        for result, name in ((masters["neutral"], "neutral.wav"), (none, "none.wav"))
    ]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_bypass_is_the_input(tmp_path):
    source = audio()
    for feeling in ("neutral", "rage"):
        result = dm.master(source, feeling, bypass=True)
        assert torch.equal(result.audio.samples, source.samples)
        assert result.bypassed and result.report.targets == []
        lines = result.summary()
        assert "bypassed" in lines[-1] and f"{result.report.shown['loudness_lufs']:.1f} LUFS" in lines[1]
    path = result.write(tmp_path / "same.wav", bit_depth="32f")
    assert torch.equal(read_audio(path).samples, source.samples)
    assert json.loads((tmp_path / "same.report.json").read_text())["shown"]["loudness_lufs"] < 0


def test_bypass_of_a_midi_is_the_dry_render(tiny_song):
    dry = dm.render(tiny_song, bypass=True)
    assert dry.audio.samples.shape[0] == 2
    assert dry.report.soundfont
    assert dm.measure(dry.audio).targets["loudness_lufs"] < -18


def test_neutral_of_a_neutral_master_changes_nothing(masters):
    first = masters["neutral"]
    again = dm.master(first.audio)
    for band in BANDS:
        assert abs(again.report.row(band).after - first.report.row(band).after) <= 0.5
    assert again.report.shown["limiter_p99_db"] <= 0.5
    assert again.report.row("loudness_lufs").after == pytest.approx(-14, abs=0.1)


def test_a_quieter_file_is_the_same_song():
    """Gain changes no heard field: not when measured, not when mastered."""
    whole, half = audio(gain=0.4), audio(gain=0.2)
    for name in HEARD:
        assert dm.measure(half).targets[name] == pytest.approx(dm.measure(whole).targets[name], abs=1e-3), (
            name
        )
    one, two = dm.master(whole).report, dm.master(half).report
    for row in one.targets:
        if row.target in HEARD:
            assert two.row(row.target).after == pytest.approx(row.after, abs=0.02), row.target


def test_mono_comes_out_mono_and_finished(tmp_path):
    path = write_audio(dm.Audio(audio().samples.mean(0, keepdim=True), 48000), tmp_path / "mono.wav")
    result = dm.master(path, "grief", lufs=-20.0, chain=["eq", "imager"])
    assert result.audio.channels == 1 and result.audio.rate == 48000
    assert lufs_by_pyloudnorm(result.audio) == pytest.approx(-20, abs=0.1)
    assert not [row.target for row in result.report.targets if row.shift and row.target.startswith("width")]


def test_same_seed_same_bytes(masters, tiny_song, tmp_path):
    again = dm.render(tiny_song)
    for ending in (".wav", ".flac"):
        for depth in (16, 24):
            one = masters["neutral"].write(tmp_path / f"one{ending}", bit_depth=depth, report=False)
            two = again.write(tmp_path / f"two{ending}", bit_depth=depth, report=False)
            assert one.read_bytes() == two.read_bytes(), (ending, depth)
    assert masters["neutral"].report.model_dump(exclude={"source"}) == again.report.model_dump(
        exclude={"source"}
    ), "and the same report"


def test_another_seed_is_another_dither_of_the_same_master(tmp_path):
    source = audio(1.0)
    paths = [dm.master(source, seed=seed).write(tmp_path / f"{seed}.wav", bit_depth=16) for seed in (1, 2)]
    one, two = (read_audio(path).samples for path in paths)
    assert not torch.equal(one, two)
    assert (one - two).abs().max() < 4 / 2**15
    assert json.loads((tmp_path / "2.report.json").read_text())["seed"] == 2


def test_user_over_platform_over_feeling():
    source = audio(1.5)
    asked = {
        (platform, lufs): dm.master(source, "rage", platform=platform, lufs=lufs, chain=["eq"])
        for platform, lufs in ((None, None), ("r128", None), ("r128", -19.0))
    }
    asked = {key: result.report.row("loudness_lufs").asked for key, result in asked.items()}
    assert asked == {(None, None): -12.0, ("r128", None): -23.0, ("r128", -19.0): -19.0}


def test_a_pinned_knob_stays_and_is_called_yours():
    pinned = ["eq.peak_3_gain_db=1.5", "imager.high_width_db=-1"]
    result = dm.master(audio(2.0), "rage", settings=pinned, chain=["eq", "imager"])
    rows = {row.setting: row for row in result.report.settings}
    for text in pinned:
        knob, _, value = text.partition("=")
        assert (rows[knob].value, rows[knob].set_by) == (float(value), "you")
    assert any(row.set_by == "solver" for row in rows.values())


def test_a_target_set_by_the_user_is_what_is_asked():
    source = audio(3.0)
    there = dm.master(source).report.row("band_air_db").after
    result = dm.master(source, settings=[f"band_air_db={there + 1.5:.2f}"], lufs=-20.0)
    row = result.report.row("band_air_db")
    assert row.asked == pytest.approx(there + 1.5, abs=0.01) and row.why.startswith("you set it")
    assert row.verdict == "met" and row.after == pytest.approx(row.asked, abs=row.tolerance)


def test_a_blend_lies_between_its_feelings():
    names = ("grief", "grief:0.5,hope:0.5", "hope")
    grief, blend, hope = (dm.parse_emotion(name).shift() for name in names)
    shared = set(grief) & set(hope)
    assert len(shared) >= 5
    for field in shared:
        between = (grief[field].by + hope[field].by) / 2
        assert (blend[field].by if field in blend else 0.0) == pytest.approx(between, abs=1e-6)
    result = dm.master(audio(1.5), "grief:0.7,hope:0.3", chain=["eq"])
    assert "grief" in result.report.emotion and "hope" in result.report.emotion


def test_several_masters_of_one_song_are_the_masters_one_by_one():
    """The neutral is shared, nothing else: a feeling sounds the same alone and in company."""
    source, options = audio(2.0), {"chain": ["eq"], "lufs": -20.0}
    together = master_many(source, ["hope", "rage", "hope"], Options(**options))
    assert [result.report.emotion for result in together] == ["hope", "rage", "hope"]
    alone = dm.master(source, "rage", **options)
    assert torch.equal(alone.audio.samples, together[1].audio.samples)
    assert torch.equal(together[0].audio.samples, together[2].audio.samples)
    assert not torch.equal(together[0].audio.samples[:, :RATE], together[1].audio.samples[:, :RATE])


def test_any_effect_may_stand_in_the_chain():
    shelf = effect_from_pedalboard("HighShelfFilter")
    knob = f"{shelf.name}.gain_db"
    flat, bright = (
        dm.master(audio(2.0), chain=["eq", shelf, "imager"], settings=[f"{knob}={gain}"]) for gain in (0, 6)
    )
    assert bright.report.row("band_air_db").after > flat.report.row("band_air_db").after + 1
    assert {row.setting: row.set_by for row in bright.report.settings}[knob] == "you"
    assert [guard.guard for guard in bright.report.guards if not guard.holds] == []
    assert bright.report.chain[:3] == ["eq", shelf.name, "imager"]


def test_an_effect_left_out_is_left_out(tiny_song):
    dry = dm.render(tiny_song, chain=["eq", "imager"])
    assert not [row for row in dry.report.targets if row.target.startswith("reverb_")]
    assert not [row for row in dry.report.settings if row.setting.startswith(("reverb.", "dynamics."))]


def test_preview_is_the_loudest_twenty_seconds():
    quiet, loud = 0.05 * signals.music(15.0), signals.music(25.0, seed=2)
    whole = dm.Audio(torch.cat([quiet, 0.5 * loud], dim=-1)[0], RATE)
    result = dm.master(whole, preview=True, bypass=True)
    assert result.audio.duration_s == pytest.approx(20.0, abs=0.01)
    begin = int((whole.samples[0] == result.audio.samples[0, 0]).nonzero()[-1])
    assert torch.equal(whole.samples[:, begin : begin + 20 * RATE], result.audio.samples)
    assert begin >= 19 * RATE, "cut from the loud part of the song"


@pytest.mark.parametrize("rate", [48000, 96000])
def test_the_rate_asked_for_is_kept_into_the_file(tiny_song, tmp_path, rate):
    result = dm.render(tiny_song, rate=rate)
    assert read_audio(result.write(tmp_path / "song.flac")).rate == rate == result.report.rate
    assert result.report.row("loudness_lufs").verdict == "met"


def test_stems_come_along_dry_and_sum_to_the_mix(tiny_song):
    result = dm.render(tiny_song, stems=True, bypass=True)
    total = sum(stem.samples for _, stem in result.stems)
    assert len(result.stems) >= 3
    assert torch.allclose(total, result.audio.samples, atol=1e-4)


def test_refine_costs_nothing_that_was_asked():
    """Inside its tolerance a target may move towards the feeling's style; what was missed gets no worse."""
    source, asked = audio(2.0), {"emotion": "hope", "lufs": -20.0, "chain": ["eq", "imager"]}
    plain, refined = (dm.master(source, refine=refine, **asked) for refine in (False, True))

    def distances(result) -> dict[str, float]:
        rows = [row for row in result.report.targets if row.target in HEARD]
        return {row.target: abs(row.after - row.asked) / row.tolerance for row in rows}

    before, after = distances(plain), distances(refined)
    assert before.keys() == after.keys()
    for target, distance in after.items():
        assert distance <= max(1.0, before[target]) + 1e-6, target
    assert any(step.step.startswith("refine") for step in refined.report.log)
    assert [guard.guard for guard in refined.report.guards if not guard.holds] == []


def test_options_read_names_of_targets_and_knobs_alike():
    targets, knobs = split_settings(["band_air_db=-12", "eq.tilt_db=1.5", " crest_db = 9 "], Options())
    assert targets == {"band_air_db": -12.0, "crest_db": 9.0}
    assert knobs == {"eq.tilt_db": 1.5}


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"emotion": "greif"}, UnknownNameError, "did you mean grief"),
        ({"emotion": ""}, InputError, "no emotion"),
        ({"settings": ["eq.low_shelf_gain=1"]}, UnknownNameError, "did you mean eq.low_shelf_gain_db"),
        ({"settings": ["band_aire_db=1"]}, UnknownNameError, "did you mean band_air_db"),
        ({"settings": ["eq.tilt_db=99"]}, OutOfRangeError, "eq.tilt_db is 99; .*-12 and 12 dB"),
        ({"settings": ["eq.tilt_db"]}, OutOfRangeError, "eq.tilt_db"),
        ({"settings": ["crest_db=99"]}, OutOfRangeError, "crest_db is 99; .*0 and 40 dB"),
        ({"lufs": -3.0}, OutOfRangeError, "loudness_lufs is -3; .*-40 and -5 LUFS"),
        ({"ceiling": 0.5}, OutOfRangeError, "true_peak_dbtp is 0.5; .*-12 and 0 dBTP"),
        ({"strength": "1.5"}, OutOfRangeError, "between 0 and 1"),
        ({"strength": "fog=1"}, UnknownNameError, "strength group"),
        ({"platform": "spotfy"}, UnknownNameError, "did you mean spotify"),
        ({"chain": ["eqq"]}, UnknownNameError, "did you mean eq"),
        ({"relaxed": ["side_gain"]}, UnknownNameError, "did you mean side_gain_db"),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(given, error, said):
    worked = []
    with pytest.raises(error, match=said):
        dm.master(audio(1.0), progress=worked.append, **given)
    assert worked == []


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (torch.zeros(2, RATE), "silent"),
        (torch.zeros(2, 0), "no samples"),
        (torch.full((2, RATE), float("nan")), "NaN"),
    ],
)
def test_sound_that_is_none_is_refused(samples, said):
    with pytest.raises(InputError, match=said):
        dm.master(dm.Audio(samples, RATE))


def test_the_wrong_door_is_named(tiny_song, tmp_path):
    with pytest.raises(InputError, match="daiw-master render"):
        dm.master(tiny_song)
    wave = write_audio(audio(1.0), tmp_path / "song.wav")
    with pytest.raises(InputError):
        dm.render(wave)


def test_a_full_disk_leaves_no_half_file(tmp_path, monkeypatch):
    result = dm.master(audio(1.0))
    kept = tmp_path / "song.wav"
    kept.write_bytes(b"the master of last week")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    for name in ("song.wav", "new.flac", "new.mp3"):
        with pytest.raises(WriteError, match="No space left"):
            result.write(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["song.wav"]
    assert kept.read_bytes() == b"the master of last week"


def test_a_lossy_master_is_measured_again_as_decoded(tmp_path):
    result = dm.master(audio(3.0), ceiling=-1.0)
    path = result.write(tmp_path / "song.mp3")
    assert true_peak_by_scipy_db(read_audio(path)) <= -1.0 + 0.02
    notes = json.loads((tmp_path / "song.report.json").read_text())["notes"]
    assert any("song.mp3 peaks at" in note for note in notes)


def test_every_list_of_feelings_is_parsed_before_the_first_is_made(tiny_song):
    worked = []
    for make, source in ((render_many, tiny_song), (master_many, audio(1.0))):
        with pytest.raises(UnknownNameError, match="hpoe"):
            make(source, ["grief", "hpoe"], Options(progress=worked.append))
    assert worked == []


def test_the_chain_is_the_house_chain_unless_given():
    assert list(chain_of(Options())) == [
        "reverb",
        "eq",
        "dynamics",
        "exciter",
        "imager",
        "loudness",
        "limiter",
    ]
    assert list(chain_of(Options(chain=["eq", "eq"]))) == ["eq", "eq_2"]


def test_the_delivery_stages_own_knobs_are_the_same_two_targets():
    """`limiter.ceiling_dbtp` and `true_peak_dbtp` are one wish; neither may be accepted and ignored."""
    result = dm.master(audio(1.5), chain=["eq", "limiter"], settings=["limiter.ceiling_dbtp=-4"], lufs=-22.0)
    assert result.report.row("true_peak_dbtp").asked == -4.0
    assert true_peak_by_scipy_db(result.audio) <= -4.0 + 0.002
    assert {row.setting: row.value for row in result.report.settings}["limiter.ceiling_dbtp"] == -4.0
    targets, knobs = split_settings(["loudness.loudness_lufs=-25", "limiter.release_ms=40"], Options())
    assert targets == {"loudness_lufs": -25.0} and knobs == {"limiter.release_ms": 40.0}
