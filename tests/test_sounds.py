"""Sound in pieces: a spool gives back what was written, however it is cut."""

import errno
import os

import pytest
import torch

from daiw_master.errors import WriteError
from daiw_master.sounds import Held, Shelf, Spool, Store, difference, part, turned, whole, with_silence


@pytest.mark.parametrize("channels", [1, 2])
def test_a_spool_gives_back_what_was_written(channels):
    torch.manual_seed(0)
    x = torch.randn(1, channels, 5000)
    with Spool(channels, 44100) as spool:
        for block in x.split(777, dim=-1):
            spool.write(block)
        spool.write(x[..., :0])
        assert spool.time == 5000 and spool.read(70, 70).shape == (1, channels, 0)
        for size in (64, 999, 1 << 16):
            assert torch.equal(torch.cat(list(spool.blocks(size)), dim=-1), x)
        assert torch.equal(spool.read(100, 4321), x[..., 100:4321])
        assert torch.equal(Held(x, 44100).read(100, 4321), x[..., 100:4321])
        with pytest.raises(EOFError):
            spool.read(0, 5001)


def test_a_full_disk_is_told_in_one_line(tmp_path, monkeypatch):
    class Full:
        def seek(self, place):
            pass

        def write(self, left):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(WriteError, match="TMPDIR"):
        Spool(2, 44100, tmp_path / "nowhere")
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **given: Full())
    spool = Spool(2, 44100)
    with pytest.raises(WriteError, match="No space left on device.*TMPDIR"):
        spool.write(torch.zeros(1, 2, 10))


def test_a_spool_has_no_name(tmp_path):
    with Spool(2, 44100, tmp_path) as spool:
        spool.write(torch.zeros(1, 2, 10))
        assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("most", [0, 1 << 20])
def test_what_is_made_of_a_sound_is_the_same_in_memory_and_on_disk(most):
    torch.manual_seed(0)
    x = torch.randn(1, 2, 3000)
    sound = Store(most).keep(x.split(512, dim=-1), 2, 48000, 3000)
    assert isinstance(sound, Shelf if most else Spool)
    assert (sound.time, sound.channels, sound.rate) == (3000, 2, 48000)
    made = with_silence(part(turned(sound, 0.5), 100, 2000), 300)
    wanted = torch.nn.functional.pad(x[..., 100:2000] / 2, (0, 300))
    assert made.time == 2200
    assert torch.equal(torch.cat(list(made.blocks(777)), dim=-1), wanted)
    assert torch.equal(made.read(1800, 2100), wanted[..., 1800:2100])
    assert torch.equal(whole(made), wanted)
    assert torch.equal(whole(difference(sound, turned(sound, 0.5))), x / 2)
