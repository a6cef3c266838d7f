"""Sound in pieces: a spool gives back what was written, however it is cut."""

import os

import pytest
import torch

from daiw_master.sounds import Held, Spool


@pytest.mark.parametrize("channels", [1, 2])
def test_a_spool_gives_back_what_was_written(channels):
    torch.manual_seed(0)
    x = torch.randn(1, channels, 5000)
    with Spool(channels, 44100) as spool:
        for block in x.split(777, dim=-1):
            spool.write(block)
        assert spool.time == 5000
        for size in (64, 999, 1 << 16):
            assert torch.equal(torch.cat(list(spool.blocks(size)), dim=-1), x)
        assert torch.equal(spool.read(100, 4321), x[..., 100:4321])
        assert torch.equal(Held(x, 44100).read(100, 4321), x[..., 100:4321])
        with pytest.raises(EOFError):
            spool.read(0, 5001)


def test_a_spool_has_no_name(tmp_path):
    with Spool(2, 44100, tmp_path) as spool:
        spool.write(torch.zeros(1, 2, 10))
        assert os.listdir(tmp_path) == []
