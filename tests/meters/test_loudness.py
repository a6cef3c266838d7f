"""Loudness against the standards' own signals and against meters we did not write."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pyloudnorm
import pytest
import scipy.signal
import torch

from daiw_master.errors import InputError
from daiw_master.meters.loudness import integrated_loudness, loudness_range, momentary, short_term
from daiw_master.meters.traces import scan
from daiw_master.meters.weighting import k_coefficients, k_weighted_blocks
from tests.meters.ebu import RATE, five_channels, tone
from tests.signals import impulse, music, noise, sine

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "audio"
MUSIC = (
    "music/macleod_nerves.ogg",
    "music/macleod_earth-prelude.ogg",
    "multitrack/efree_sodium_roughmix.flac",
)


def steady(trace: torch.Tensor, hop_s: float, after_s: float, window_s: float) -> torch.Tensor:
    return trace[..., max(0, round((after_s - window_s) / hop_s)) :]


@pytest.mark.parametrize(("level", "case"), [(-23.0, 1), (-33.0, 2)])
def test_ebu_3341_steady(level, case):
    seen = scan(tone((level, 20)), RATE)
    assert integrated_loudness(seen).item() == pytest.approx(level, abs=0.1)
    for trace in (momentary(seen), short_term(seen)):
        assert (trace - level).abs().max() <= 0.1


@pytest.mark.parametrize(
    "steps",
    [
        [(-36, 10), (-23, 60), (-36, 10)],
        [(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)],
        [(-26, 20), (-20, 20.1), (-26, 20)],
    ],
    ids=["case3", "case4", "case5"],
)
def test_ebu_3341_gating(steps):
    assert integrated_loudness(tone(*steps), RATE).item() == pytest.approx(-23.0, abs=0.1)


def test_ebu_3341_case_6_five_channels():
    assert integrated_loudness(five_channels(), RATE).item() == pytest.approx(-23.0, abs=0.1)


def test_ebu_3341_case_9_short_term_is_constant():
    trace = short_term(tone(*[(-20, 1.34), (-30, 1.66)] * 5), RATE, hop_ms=10)
    assert (trace + 23.0).abs().max() <= 0.1


def test_ebu_3341_case_10_short_term_maximum():
    for i in range(20):
        trace = short_term(tone((None, i * 0.15), (-23, 3), (None, 1)), RATE, hop_ms=10)
        assert trace.max().item() == pytest.approx(-23.0, abs=0.1), f"file {i}"


def test_ebu_3341_case_11_short_term_steps():
    steps = [[(None, i * 0.15), (-38.0 + i, 3), (None, 3 - i * 0.15)] for i in range(20)]
    trace = short_term(tone(*(step for part in steps for step in part)), RATE, hop_ms=10)[0]
    for i in range(20):
        until = round(((i + 1) * 6.0 - 3.0) * 100) + 1
        assert trace[:until].max().item() == pytest.approx(-38.0 + i, abs=0.1)


def test_ebu_3341_case_12_momentary_is_constant():
    trace = momentary(tone(*[(-20, 0.18), (-30, 0.22)] * 25), RATE)
    assert (steady(trace, 0.01, 1.0, 0.4) + 23.0).abs().max() <= 0.1


def test_ebu_3341_case_13_momentary_maximum():
    for i in range(20):
        trace = momentary(tone((None, i * 0.02), (-23, 0.4), (None, 1)), RATE)
        assert trace.max().item() == pytest.approx(-23.0, abs=0.1), f"file {i}"


def test_ebu_3341_case_14_momentary_steps():
    steps = [[(None, i * 0.02), (-38.0 + i, 0.4), (None, 0.4 - i * 0.02)] for i in range(20)]
    trace = momentary(tone(*(step for part in steps for step in part)), RATE)[0]
    for i in range(20):
        until = round(((i + 1) * 0.8 - 0.4) * 100) + 1
        assert trace[:until].max().item() == pytest.approx(-38.0 + i, abs=0.1)


@pytest.mark.parametrize(
    ("levels", "expected"),
    [((-20, -30), 10), ((-20, -15), 5), ((-40, -20), 20), ((-50, -35, -20, -35, -50), 15)],
)
def test_ebu_3342(levels, expected):
    x = tone(*((level, 20) for level in levels))
    assert loudness_range(x, RATE).item() == pytest.approx(expected, abs=1.0)
    assert loudness_range(x, RATE).item() == pytest.approx(expected, abs=0.1), "a tenth of the tolerance"


def test_bs1770_reference_levels():
    left = sine(997, 5, RATE)
    left[:, 1] = 0
    assert integrated_loudness(left, RATE).item() == pytest.approx(-3.01, abs=0.005)
    assert integrated_loudness(sine(997, 5, RATE), RATE).item() == pytest.approx(0.0, abs=0.005)


def test_the_table_of_the_standard():
    (shelf_b, shelf_a), (cut_b, cut_a) = k_coefficients(48000)
    np.testing.assert_allclose(shelf_b, [1.53512485958697, -2.69169618940638, 1.19839281085285], atol=1e-12)
    np.testing.assert_allclose(shelf_a, [1, -1.69065929318241, 0.73248077421585], atol=1e-12)
    np.testing.assert_allclose(cut_b, [1, -2, 1], atol=1e-12)
    np.testing.assert_allclose(cut_a, [1, -1.99004745483398, 0.99007225036621], atol=1e-12)


@pytest.mark.parametrize("rate", [22050, 44100, 48000, 88200, 96000, 192000])
def test_block_filter_is_the_recursion(rate):
    x = noise(4.0, rate, seed=3, dtype=torch.float64)
    x = torch.cat([x, torch.zeros_like(x)[..., : rate // 2] + 0.5], dim=-1)
    want = x.numpy()
    for b, a in k_coefficients(rate):
        want = scipy.signal.lfilter(b, a, want)
    got = torch.cat([weighted for _, weighted in k_weighted_blocks(x, rate, 7)], dim=-1)[..., : x.shape[-1]]
    np.testing.assert_allclose(got.numpy(), want, atol=1e-9)
    got32 = torch.cat([w for _, w in k_weighted_blocks(x.float(), rate, 7)], dim=-1)[..., : x.shape[-1]]
    assert abs(10 * np.log10((got32.double() ** 2).sum().item() / (want**2).sum())) < 1e-4


@pytest.mark.parametrize("rate", [44100, 88200, 96000, 192000])
@pytest.mark.parametrize("hz", [60, 997, 3000])
def test_every_rate_reads_alike(rate, hz):
    at_48k = integrated_loudness(sine(hz, 3, 48000, -20), 48000)
    assert (integrated_loudness(sine(hz, 3, rate, -20), rate) - at_48k).abs().item() < 0.01


def test_short_files_and_silence():
    tenth = sine(997, 0.1, RATE, -20)
    assert integrated_loudness(tenth, RATE).item() == pytest.approx(-20, abs=0.2)
    assert integrated_loudness(torch.zeros(1, 2, RATE), RATE).item() == pytest.approx(-120)
    assert integrated_loudness(sine(997, 2, RATE, -80), RATE).item() == pytest.approx(-80, abs=0.1), "ungated"
    assert loudness_range(tenth, RATE).item() == 0
    assert momentary(tenth, RATE).shape == short_term(tenth, RATE).shape == (1, 1)


@pytest.mark.parametrize("shape", [(2, 100), (1, 6, 100), (1, 2, 0)])
def test_wrong_shapes_are_refused(shape):
    with pytest.raises(InputError, match="a meter reads"):
        integrated_loudness(torch.zeros(shape), RATE)


def test_batch_equals_loop_and_input_stays():
    x = torch.cat([music(4, RATE), noise(4, RATE, -30), torch.zeros(1, 2, 4 * RATE)])
    kept = x.clone()
    for meter in (integrated_loudness, loudness_range):
        alone = torch.cat([meter(item[None], RATE) for item in x])
        torch.testing.assert_close(meter(x, RATE), alone, atol=1e-5, rtol=0)
    assert torch.equal(x, kept)


def test_gradients():
    x = (
        music(1.5, 4000, dtype=torch.float64) + 0.01 * noise(1.5, 4000, dtype=torch.float64)
    ).requires_grad_()
    gain = torch.ones(1, 1, 1, dtype=torch.float64, requires_grad=True)
    tail = x[..., :900].detach().requires_grad_()
    assert torch.autograd.gradcheck(lambda y: integrated_loudness(y, 4000), tail, atol=1e-6, fast_mode=True)
    assert torch.autograd.gradcheck(lambda g: integrated_loudness(x.detach() * g, 4000), gain)
    (per_db,) = torch.autograd.grad(integrated_loudness(x * gain, 4000).sum(), gain)
    assert per_db.item() == pytest.approx(20 / np.log(10), rel=1e-6), "1 dB of gain is 1 LU"
    pulses = (impulse(0.01, RATE, dtype=torch.float64) * 0).requires_grad_()
    (silent,) = torch.autograd.grad(integrated_loudness(pulses, RATE).sum(), pulses)
    assert silent.isfinite().all()


@pytest.fixture(scope="module", params=MUSIC)
def song(request):
    path = DATA / request.param
    if not path.exists():
        pytest.skip("the shared test music is not beside this checkout")
    from pedalboard.io import AudioFile

    with AudioFile(str(path)) as file:
        return path, torch.from_numpy(file.read(60 * int(file.samplerate)))[None], int(file.samplerate)


def test_pyloudnorm_agrees(song):
    _, x, rate = song
    theirs = pyloudnorm.Meter(rate).integrated_loudness(x[0].T.numpy().astype(np.float64))
    assert integrated_loudness(x, rate).item() == pytest.approx(theirs, abs=0.1)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_ffmpeg_agrees(song, tmp_path):
    _, x, rate = song
    raw = tmp_path / "song.f32"
    raw.write_bytes(x[0].T.contiguous().numpy().tobytes())
    command = f"ffmpeg -nostats -f f32le -ar {rate} -ac 2 -i {raw} -af ebur128=peak=true -f null -"
    told = subprocess.run(command.split(), capture_output=True, text=True, check=True).stderr
    loudness, spread = (float(re.findall(rf"\b{key}:\s+(-?[\d.]+) LU", told)[-1]) for key in ("I", "LRA"))
    assert integrated_loudness(x, rate).item() == pytest.approx(loudness, abs=0.1)
    assert loudness_range(x, rate).item() == pytest.approx(spread, abs=0.3)
    from daiw_master.meters.true_peak import true_peak

    peak = float(re.findall(r"Peak:\s+(-?[\d.]+) dBFS", told)[-1])
    assert true_peak(x, rate, oversample=4).item() == pytest.approx(peak, abs=0.1)
