"""One performance, heard four ways: in memory, in places, beside other work, and as a send."""

from __future__ import annotations

import shutil
import threading

import pytest
import torch

from daiw_master.errors import InputError
from daiw_master.midi import begin_render, kept, render_midi, render_midi_to
from daiw_master.midi.reel import Reel
from daiw_master.midi.synth import library
from daiw_master.sounds import Store, whole

from .conftest import message, note

SENDS = {"bass": 0.0, "kick": 0.0, "drums": 0.5}


@pytest.fixture
def band(write_song):
    """Strings, a bass and drums; five seconds in which nobody plays, then a last chord."""
    strings = [message(0, "program_change", program=48), *note(0, 960, 60), *note(5760, 480, 67)]
    bass = [message(0, "program_change", program=33, channel=1), *note(0, 480, 36, channel=1)]
    drums = note(0, 60, 36, channel=9) + note(240, 60, 42, channel=9) + note(480, 60, 38, channel=9)
    return write_song([strings, bass, drums], name="band.mid")


@pytest.fixture
def whispering(write_song):
    """A note that never ends: the song is faded."""
    return write_song([[message(0, "program_change", program=79), note(0, 1, 60)[0]]], name="endless.mid")


def same(sound, audio) -> bool:
    return torch.equal(whole(sound)[0], audio.samples)


@pytest.mark.parametrize("most", [0, 1 << 25], ids=["on disk", "in memory"])
def test_laid_down_in_places_it_is_the_same_song(band, font, tmp_path, most):
    held = render_midi(band, soundfont=font, stems="roles", sends=SENDS)
    places = []

    def place(channels, rate, time):
        places.append(Store(most=most, folder=tmp_path).place(channels, rate, time))
        return places[-1]

    laid = render_midi_to(place, band, soundfont=font, stems="roles", sends=SENDS)
    assert same(laid.mix, held.mix) and same(laid.send, held.send)
    assert [stem.name for stem in laid.stems] == [stem.name for stem in held.stems]
    assert all(same(a.audio, b.audio) for a, b in zip(laid.stems, held.stems, strict=True))
    assert laid.duration_s == held.duration_s == laid.mix.time / laid.mix.rate
    assert (laid.sections, laid.notes, laid.detected) == (held.sections, held.notes, held.detected)
    assert len(places) == 2 + len(held.stems)


def test_a_faded_end_is_the_same_in_places(whispering, font, monkeypatch):
    from daiw_master.midi import synth

    monkeypatch.setattr("daiw_master.midi.play._MAX_TAIL_S", 1.5)
    monkeypatch.setattr(synth.Synth, "release_everything", lambda self: None)
    held = render_midi(whispering, soundfont=font, stems=True)
    laid = render_midi_to(Store(most=0).place, whispering, soundfont=font, stems=True)
    assert same(laid.mix, held.mix) and same(laid.stems[0].audio, held.stems[0].audio)
    assert held.mix.samples[:, -1000:].abs().max() < 0.01 * held.mix.samples.abs().max()


def test_the_send_is_the_weighted_sum_of_the_stems(band, font):
    song = render_midi(band, soundfont=font, stems=True, sends=SENDS)
    roles = {stem.role for stem in song.stems}
    assert {"bass", "kick", "drums"} < roles
    wanted = sum(SENDS.get(stem.role, 1.0) * stem.audio.samples.double() for stem in song.stems)
    assert (song.send.samples - wanted).abs().max() <= 1e-7
    alone = render_midi(band, soundfont=font, sends=SENDS)
    assert torch.equal(alone.send.samples, song.send.samples) and not alone.stems
    assert torch.equal(alone.mix.samples, song.mix.samples)


def test_where_nobody_sends_there_is_no_send(write_song, font):
    bass = write_song([[message(0, "program_change", program=33), *note(0, 480, 36)]])
    assert render_midi(bass, soundfont=font, sends=SENDS).send is None
    assert render_midi(bass, soundfont=font).send is None
    assert render_midi(bass, soundfont=font, sends={}).send is not None


def test_in_the_background_it_is_the_same_song_and_its_blocks_are_the_mix(band, font):
    held = render_midi(band, soundfont=font, stems="roles")
    with begin_render(band, soundfont=font, stems="roles") as rendering:
        blocks = [torch.from_numpy(block) for block in rendering.blocks()]
        song = rendering.result()
    assert torch.equal(torch.cat(blocks, dim=-1), held.mix.samples)
    assert torch.equal(song.mix.samples, held.mix.samples)
    assert all(
        torch.equal(a.audio.samples, b.audio.samples) for a, b in zip(song.stems, held.stems, strict=True)
    )


def test_the_first_blocks_come_while_the_song_still_plays(band, font):
    """The performance is held up until the first block has been heard."""
    heard = threading.Event()

    def progress(done):
        if done > 0.5:
            assert heard.wait(30)

    with begin_render(band, soundfont=font, progress=progress) as rendering:
        first = next(rendering.blocks())
        heard.set()
        assert torch.equal(torch.from_numpy(first), rendering.result().mix.samples[:, : first.shape[1]])


def test_what_goes_wrong_in_the_background_is_told_where_the_song_is_asked_for(band, font, tmp_path):
    with begin_render(tmp_path / "none.mid", soundfont=font) as rendering:
        with pytest.raises(InputError, match="none.mid"):
            rendering.result()
        with pytest.raises(InputError, match="none.mid"):
            list(rendering.blocks())
    with (
        begin_render(band, soundfont=font, timeout_s=-1) as rendering,
        pytest.raises(InputError, match="longer"),
    ):
        rendering.result()


def test_leaving_early_stops_the_song(write_song, font):
    long = write_song([note(0, 480 * 2 * 60 * 60, 60)], name="hour.mid")
    seen = []
    with begin_render(long, soundfont=font, progress=seen.append) as rendering:
        next(rendering.blocks())
    assert seen[-1] < 0.5
    with pytest.raises(InputError, match="stopped"):
        rendering.result()


def test_on_an_error_the_places_are_closed(band, font):
    places = []

    def place(*what):
        places.append(Store(most=0).place(*what))
        return places[-1]

    def stumble(done):
        raise RuntimeError("a full disk, say")

    with pytest.raises(RuntimeError):
        render_midi_to(place, band, soundfont=font, progress=stumble)
    assert places and all(spool._file.closed for spool in places)


def test_a_kept_soundfont_sounds_like_a_fresh_one_and_only_one_is_kept(band, write_song, font, tmp_path):
    other = tmp_path / "other.sf2"
    shutil.copy(font, other)
    kept.forget(library())
    fresh = render_midi(band, soundfont=font).mix.samples
    first = kept._kept
    render_midi(write_song([[message(0, "program_change", program=0), *note(0, 240, 72)]]), soundfont=font)
    assert kept._kept is first, "the font was read again"
    assert torch.equal(render_midi(band, soundfont=font).mix.samples, fresh)
    assert torch.equal(render_midi(band, soundfont=other).mix.samples, fresh)
    assert kept._kept.file[0] == str(other)
    other.write_bytes(b"RIFF\0\0\0\0sfbk changed since")
    with pytest.raises(InputError, match="cannot be loaded"):
        render_midi(band, soundfont=other)
    assert torch.equal(render_midi(band, soundfont=font).mix.samples, fresh)


def test_songs_may_be_rendered_side_by_side(band, write_song, font, capfd):
    second = write_song([[message(0, "program_change", program=73), *note(0, 1920, 72)]], name="second.mid")
    alone = [render_midi(path, soundfont=font).mix.samples for path in (band, second)]
    for _ in range(3):
        with begin_render(band, soundfont=font) as one, begin_render(second, soundfont=font) as other:
            assert torch.equal(one.result().mix.samples, alone[0])
            assert torch.equal(other.result().mix.samples, alone[1])
    assert capfd.readouterr() == ("", "")


def test_a_reel_is_cut_in_place_and_rests_are_silence():
    reel = Reel(300_000)
    noise = torch.randn(2, 100_000, generator=torch.Generator().manual_seed(1)).numpy()
    reel.write(noise, 100_000)
    reel.write(None, 100_000)
    reel.write(noise, 100_000)
    cut = torch.from_numpy(reel.cut(250_000))
    assert cut.is_contiguous() and cut.shape == (2, 250_000)
    assert torch.equal(cut[:, :100_000], torch.from_numpy(noise))
    assert not cut[:, 100_000:200_000].any()
    assert torch.equal(cut[:, 200_000:], torch.from_numpy(noise)[:, :50_000])
