"""Where a search listens: loud, middle and soft places, the same in every version of the song."""

from __future__ import annotations

import pytest
import torch

from daiw_master.audio import Audio
from daiw_master.errors import InputError
from daiw_master.neural.encoder import STYLE_RATE
from daiw_master.refine.ito import choose_windows
from daiw_master.sounds import Held

RATE = 44100


def steps(*levels_db: float, each_s: float = 3.0) -> Audio:
    """Noise in steps of level."""
    noise = torch.randn(2, round(each_s * RATE), generator=torch.Generator().manual_seed(1))
    return Audio(torch.cat([0.1 * 10 ** (level / 20) * noise for level in levels_db], dim=-1), RATE)


def test_loud_middle_and_soft_places_are_found_and_do_not_overlap():
    found = choose_windows(steps(-40, -12, 0, -6), 3, seconds=2.0)
    loud, middle, soft = (round(start_s // 3) for start_s in found.starts_s)
    assert (loud, soft) == (2, 1)
    assert middle in (2, 3)
    assert found.x.shape == (3, 2, 2 * STYLE_RATE)
    places = sorted(found.starts_s)
    assert all(b - a >= 2.0 for a, b in zip(places, places[1:], strict=False))
    level = found.x.square().mean((1, 2))
    assert level[0] > level[1] > level[2]


def test_a_short_song_is_heard_whole():
    found = choose_windows(steps(0, each_s=1.0), 2)
    assert found.x.shape == (1, 2, STYLE_RATE)
    assert found.starts_s == (0.0,)


def test_what_comes_before_a_window_leads_into_it():
    song = steps(-20, 0)
    plain, led = (choose_windows(song, 1, seconds=1.0, lead_s=lead_s) for lead_s in (0.0, 0.5))
    assert led.lead == STYLE_RATE // 2
    assert torch.equal(led.x[..., led.lead :], plain.x)
    short = choose_windows(steps(0, each_s=1.0), 1, lead_s=0.5)
    assert not short.x[..., : short.lead].any()


def test_another_version_is_cut_at_the_same_places():
    song = steps(-20, 0, -10)
    found = choose_windows(song, 2, seconds=1.0, lead_s=0.25)
    assert torch.equal(found.of(Held(song.samples, RATE)), found.x)
    assert torch.allclose(found.of(Held(0.5 * song.samples, RATE)), 0.5 * found.x, atol=1e-6)


def test_refusals():
    with pytest.raises(InputError, match="1 to 3"):
        choose_windows(steps(0), 4)
    with pytest.raises(InputError, match="no samples"):
        choose_windows(Audio(torch.zeros(2, 0), RATE))
