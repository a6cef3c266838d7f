"""The sound itself: timing, pitch, place, resolution, tails, stems and what is refused."""

from __future__ import annotations

import ctypes
import math
import shutil
import subprocess

import mido
import numpy as np
import pytest
import torch

from daiw_master.errors import DaiwMasterError, InputError, MissingDependencyError
from daiw_master.midi import render_midi, synth
from daiw_master.midi.parts import arrange
from daiw_master.midi.smf import read_midi_file

from .conftest import message, meta, note

OCARINA = 79  # sustains, and plays in tune


def play(path, font, **options):
    return render_midi(path, soundfont=font, **options)


def onset_s(samples: torch.Tensor, rate: int, after_s: float = 0.0) -> float:
    level = samples.abs().amax(0)[int(after_s * rate) :]
    return after_s + int((level > 0.05 * level.max()).nonzero()[0]) / rate


def pitch_hz(samples: torch.Tensor, rate: int, low: float, high: float) -> float:
    """The strongest partial between two frequencies, by a parabola through the log spectrum's top."""
    x = samples.double().mean(0)
    spectrum = torch.fft.rfft(x * torch.hann_window(len(x), dtype=x.dtype), n=4 * len(x)).abs().log()
    hz = rate / (4 * len(x))
    first, last = int(low / hz), int(high / hz)
    k = first + int(spectrum[first:last].argmax())
    a, b, c = spectrum[k - 1 : k + 2].tolist()
    return (k + 0.5 * (a - c) / (a - 2 * b + c)) * hz


def stretch(samples, rate, start_s, end_s):
    return samples[:, int(start_s * rate) : int(end_s * rate)]


@pytest.mark.parametrize("rate", [44100, 96000])
def test_notes_fall_where_the_tempo_map_puts_them(write_song, font, rate):
    tempos = [meta(0, "set_tempo", tempo=500_000), meta(960, "set_tempo", tempo=1_000_000)]
    drums = note(0, 60, 37, channel=9) + note(1920, 60, 37, channel=9)  # beat 4: 1 s + 2 s
    sound = play(write_song([tempos, drums]), font, rate=rate).mix
    assert sound.rate == rate
    gap = onset_s(sound.samples, rate, 2.5) - onset_s(sound.samples, rate)
    assert gap == pytest.approx(3.0, abs=1.5 * synth.GRID / rate)


def test_pitch_bend_and_its_range_move_the_pitch(write_song, font):
    rpn = [
        message(0, "control_change", control=c, value=v) for c, v in ((101, 0), (100, 0), (6, 12), (38, 0))
    ]
    start = [message(0, "program_change", program=OCARINA), *note(0, 1920, 69)]
    bend = [message(960, "pitchwheel", pitch=8191)]
    plain = play(write_song([start + bend]), font).mix
    wide = play(write_song([rpn + start + bend]), font).mix
    before = pitch_hz(stretch(plain.samples, 44100, 0.2, 0.95), 44100, 400, 1000)
    after = pitch_hz(stretch(plain.samples, 44100, 1.1, 1.9), 44100, 400, 1000)
    octave = pitch_hz(stretch(wide.samples, 44100, 1.1, 1.9), 44100, 400, 1000)
    assert before == pytest.approx(440, rel=0.004)
    # fluidsynth 2.3 itself bends 1 % short.
    assert 12 * math.log2(after / before) == pytest.approx(2.0, rel=0.012)
    assert 12 * math.log2(octave / before) == pytest.approx(12.0, rel=0.012)


def test_pan_volume_and_master_volume(write_song, font):
    def level_db(events):
        samples = play(
            write_song([[message(0, "program_change", program=OCARINA), *events]]), font
        ).mix.samples
        return 10 * torch.log10(stretch(samples, 44100, 0.3, 0.9).double().square().mean(-1) + 1e-20)

    held = note(0, 960, 60)
    left = level_db([message(0, "control_change", control=10, value=0), *held])
    assert left[0] - left[1] > 40
    loud, soft = level_db(held), level_db([message(0, "control_change", control=7, value=50), *held])
    assert (loud - soft).tolist() == pytest.approx([40 * math.log10(100 / 50)] * 2, abs=0.1)  # GM: square law
    half = mido.Message("sysex", data=[0x7F, 0x7F, 4, 1, 0, 64])
    assert (loud - level_db([(0, half), *held])).tolist() == pytest.approx(
        [40 * math.log10(127 / 64)] * 2, abs=0.1
    )


def test_float_resolution_below_the_16_bit_step(write_song, font):
    events = [message(0, "control_change", control=7, value=8), *note(0, 480, 60, velocity=10)]
    samples = play(write_song([events]), font).mix.samples
    assert samples.dtype == torch.float32
    levels = samples[samples != 0].abs()
    assert 20 * math.log10(float(levels.min())) < -120
    assert len(levels.unique()) > 1000  # a 16-bit render of this peak has few steps
    assert 20 * math.log10(float(levels.max())) < -60


def test_stems_sum_to_the_mix_and_never_change_it(data, font):
    path = data / "midi" / "generated" / "gen_16-channels-velocity-crescendo.mid"
    plain = play(path, font)
    parts, by_role = play(path, font, stems=True), play(path, font, stems="roles")
    for rendered in (parts, by_role):
        assert torch.equal(rendered.mix.samples, plain.mix.samples)
        total = sum(stem.audio.samples.double() for stem in rendered.stems)
        assert (total - plain.mix.samples).abs().max() <= 1e-6
        assert all(stem.audio.samples.is_contiguous() for stem in rendered.stems)
        assert len({stem.name for stem in rendered.stems}) == len(rendered.stems)
    assert len(parts.stems) == 17 and not plain.stems
    assert {stem.role for stem in by_role.stems} == {stem.name for stem in by_role.stems}
    assert next(stem for stem in parts.stems if stem.role == "kick").pitch_high <= 45


def test_the_same_bytes_twice_with_silence_before_and_after_other_work(write_song, font):
    path = write_song([note(0, 480, 60) + note(240, 480, 38, channel=9)])
    first = play(path, font).mix.samples.numpy().tobytes()
    play(write_song([note(0, 480, 30)], name="other.mid"), font)
    assert play(path, font).mix.samples.numpy().tobytes() == first


def test_the_tail_rings_out_and_ends(write_song, font):
    rendered = play(write_song([note(0, 480, 60)]), font)
    level = rendered.mix.samples.abs().amax(0)
    floor = level.max() * 10 ** (-90 / 20)
    audible = int((level > floor).nonzero()[-1]) + 1
    assert 0.5 < rendered.duration_s < 8.6
    assert level.shape[0] - audible == pytest.approx(0.5 * 44100, abs=1)
    assert level[audible - 2000 : audible].max() < 1e-3 * level.max()  # nothing was cut off


def test_stuck_notes_and_a_held_pedal_are_let_go(write_song, font):
    organ = message(0, "program_change", program=OCARINA)
    rendered = play(write_song([[organ, note(0, 1, 60)[0]]]), font)
    assert 2.0 < rendered.duration_s < 11
    assert any("never end" in remark for remark in rendered.notes)
    pedal = message(0, "control_change", control=64, value=127)
    held = play(write_song([[organ, pedal, *note(0, 480, 60)]]), font)
    assert 2.5 < held.duration_s < 11


def test_a_tail_that_never_ends_is_faded(write_song, font, monkeypatch):
    monkeypatch.setattr("daiw_master.midi.play._MAX_TAIL_S", 1.5)
    monkeypatch.setattr(synth.Synth, "release_everything", lambda self: None)
    organ = [message(0, "program_change", program=OCARINA), note(0, 1, 60)[0]]
    level = play(write_song([organ]), font).mix.samples.abs().amax(0)
    assert level.shape[0] == pytest.approx(3.5 * 44100, abs=synth.GRID)
    assert level[-1000:].max() < 1e-2 * level.max()


def test_channels_without_a_program_change_are_heard(write_song, font):
    rendered = play(
        write_song([[meta(0, "track_name", name="Harmony"), *note(0, 480, 48, 80, channel=1)]]), font
    )
    assert rendered.mix.samples.abs().max() > 0.01


def test_markers_become_sections_and_tempo_is_told(data, font):
    rendered = play(data / "daiw" / "generated" / "therapy_nostalgia_marked.mid", font)
    assert [section.name for section in rendered.sections] == ["I: What Was", "II: What Remains"]
    assert rendered.sections[0].end_s == rendered.sections[1].start_s
    assert rendered.sections[-1].end_s == rendered.duration_s
    assert rendered.soundfont == font


def test_agrees_with_the_fluidsynth_program(data, font, tmp_path):
    if shutil.which("fluidsynth") is None:
        pytest.skip("no fluidsynth program to compare with")
    path = data / "midi" / "generated" / "gen_16-channels-velocity-crescendo.mid"
    raw = tmp_path / "theirs.raw"
    options = [f"-o{name}=0" for name in ("synth.reverb.active", "synth.chorus.active")]
    command = ["fluidsynth", "-niq", "-g0.2", "-r44100", *options, "-oplayer.timing-source=sample"]
    command += ["-T", "raw", "-O", "float", "-F", str(raw), str(font), str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    theirs = torch.from_numpy(np.fromfile(raw, np.float32).reshape(-1, 2).T.copy()).double()
    ours = play(path, font).mix.samples.double()
    length = min(ours.shape[1], theirs.shape[1], 8 * 44100)
    a, b = ours[:, :length].square().mean(-1), theirs[:, :length].square().mean(-1)
    assert (10 * torch.log10(a / b)).abs().max() < 0.3
    shapes = [
        torch.nn.functional.avg_pool1d(x[None, :, :length].square(), 4410, 4410).flatten()
        for x in (ours, theirs)
    ]
    assert torch.corrcoef(torch.stack(shapes))[0, 1] > 0.99


def test_every_setting_of_the_library_is_pinned(font):
    library = synth.library()
    library.new_fluid_settings.restype = ctypes.c_void_p
    names = []
    visit = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int)
    visitor = visit(lambda _data, name, _kind: names.append(name.decode()))
    library.fluid_settings_foreach.argtypes = (ctypes.c_void_p, ctypes.c_void_p, visit)
    settings = library.new_fluid_settings()
    library.fluid_settings_foreach(settings, None, visitor)
    library.delete_fluid_settings(settings)
    assert {name for name in names if name.startswith("synth.")} - set(synth.SYNTH_SETTINGS) == set()


def test_progress_reaches_one_and_nothing_is_printed(write_song, font, capfd):
    seen = []
    play(
        write_song([[message(0, "program_change", program=127), *note(0, 480, 60)]]),
        font,
        progress=seen.append,
    )
    assert seen == sorted(seen) and seen[-1] == 1.0
    assert capfd.readouterr() == ("", "")


def test_what_cannot_be_rendered_is_refused_in_one_line(write_song, font, tmp_path):
    hours = write_song([note(0, 480 * 2 * 60 * 120, 60)], name="hours.mid")
    absurd = write_song([[meta(0, "set_tempo", tempo=1), *note(0, 480, 60)]], name="absurd.mid")
    silent = write_song([[meta(0, "track_name", name="nothing")]], name="silent.mid")
    fine = write_song([note(0, 480 * 8, 60)], name="fine.mid")
    (tmp_path / "font.sf2").write_bytes(b"RIFF\0\0\0\0sfbk nothing more")
    for path, options, words in (
        (hours, {}, "120.0 min; at most 90.0 min"),
        (absurd, {}, "bpm"),
        (silent, {}, "no notes"),
        (fine, {"rate": 22050}, "sample rate"),
        (fine, {"timeout_s": -1}, "longer than"),
        (fine, {"soundfont": tmp_path / "font.sf2"}, "cannot be loaded"),
        (fine, {"soundfont": tmp_path / "none.sf2"}, "does not exist"),
        (fine, {"soundfont": fine}, "not an SF2"),
    ):
        with pytest.raises(InputError, match=words) as error:
            render_midi(path, **{"soundfont": font, **options})
        assert "\n" not in str(error.value)


def broken_files():
    from .conftest import DATA

    return sorted((DATA / "midi-broken").glob("*/*.mid"))


#: What these must become; the others (bit rot, illegal bytes) may be either.
RENDERED = {
    "derived_huge-track-length",
    "derived_no-end-of-track",
    "derived_truncated-half",
    "jazzsoft_test-2-tracks-type-0",
    "jazzsoft_test-2-tracks-type-2",
    "jazzsoft_test-all-gm-percussion",
    "jazzsoft_test-all-gs-sounds",
    "jazzsoft_test-c-major-scale",
    "jazzsoft_test-control-41-portamento",
    "jazzsoft_test-corrupt-file-extra-byte",
    "jazzsoft_test-multichannel-chords-0",
    "jazzsoft_test-note-on-velocity",
    "jazzsoft_test-running-status-metaevent",
    "jazzsoft_test-track-length",
    "muspy_durations",
    "muspy_tempos",
}
REFUSED = {
    "jazzsoft_test-empty-file",
    "jazzsoft_test-not-a-midi-file",
    "jazzsoft_test-silence-end-of-track",
    "muspy_empty",
    "muspy_negative-ticks-per-beat",
    "muspy_type2",
}


@pytest.mark.parametrize("path", broken_files(), ids=lambda path: path.stem)
def test_broken_and_odd_files_render_or_are_refused(path, font, monkeypatch):
    play_at_most_s(monkeypatch, 4.0)
    try:
        rendered = play(path, font)
    except DaiwMasterError as error:
        assert path.stem not in RENDERED, error
        assert "\n" not in str(error)
    else:
        assert path.stem not in REFUSED
        assert rendered.mix.samples.isfinite().all() and rendered.mix.samples.abs().max() > 0


def play_at_most_s(monkeypatch, seconds):
    """Shorten the performance, not the reading: everything is parsed, the first seconds sound."""
    from dataclasses import replace

    def shortened(midi, max_duration_s):
        song = arrange(midi, max_duration_s)
        first = next(a.time_s for a in song.actions if a.kind == 0x90)
        end = min(song.release_s, first + seconds)
        return replace(song, release_s=end, actions=tuple(a for a in song.actions if a.time_s <= end))

    monkeypatch.setattr("daiw_master.midi.job.arrange", shortened)


@pytest.mark.slow
def test_an_hour_of_gs_sounds(data, font):
    rendered = play(data / "midi-broken" / "edge" / "jazzsoft_test-all-gs-sounds.mid", font)
    assert rendered.duration_s == pytest.approx(3468, abs=15)


def test_without_libfluidsynth_one_line_names_the_package(monkeypatch, write_song):
    import builtins

    true_import = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "fluidsynth":
            raise ImportError("Couldn't find the FluidSynth library.")
        return true_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    synth.library.cache_clear()
    try:
        with pytest.raises(MissingDependencyError) as error:
            synth.library()
    finally:
        monkeypatch.undo()
        synth.library.cache_clear()
    text = str(error.value)
    assert "\n" not in text
    assert all(words in text for words in ("apt install libfluidsynth3", "dnf", "brew", "choco"))


def test_reading_gives_the_song_without_the_synth(data):
    song = arrange(read_midi_file(data / "midi" / "band" / "simutrans_13-stephenson-blues.mid"), 5400.0)
    assert song.time_signature == (4, 4) and song.tempo_bpm == pytest.approx(120)
