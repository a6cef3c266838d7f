"""Hearing what is usually a fault: noise beds, wavering pitch, hard ends, drift, clipped peaks.

A rule broken on purpose claims to be measurable; these read it off the written sound. Sounds are
(batch, channels, time); values (batch,). Functions that take a `reference` compare two masters of
one song that lie on each other in time.
"""

from __future__ import annotations

import torch
from torch.nn.functional import pad

from daiw_master.errors import InputError
from daiw_master.meters.loudness import short_term

#: Nothing reads lower than this: digital silence has to be some number.
FLOOR_DB = -120.0
#: What lies this far under the music is over, to the ear and to these meters.
GONE_DB = 60.0
#: Highs begin here for `drift_db`, as they do for the automation that makes them drift.
DRIFT_SPLIT_HZ = 3000.0
#: Above this worn tape, old samplers and telephones have nothing.
HIGHS_HZ = 9000.0
#: Pitch is read between these, where partials are strong and closely spaced bins still tell them apart.
PITCH_HZ = (150.0, 4000.0)
#: A partial counts for pitch down to this far under the strongest one of its moment.
PARTIAL_DB = 40.0


def _db(power: torch.Tensor) -> torch.Tensor:
    return 10 * torch.log10(power.clamp_min(10 ** (FLOOR_DB / 10)))


def _frames(x: torch.Tensor, rate: int, window_s: float, hop_s: float) -> torch.Tensor:
    """Mean power (channels averaged) in sliding windows: (batch, windows); a short sound is one window."""
    window, hop = max(1, round(window_s * rate)), max(1, round(hop_s * rate))
    total = pad(x.double().square().mean(1).cumsum(-1), (1, 0))
    if total.shape[-1] <= window:
        return total[:, -1:] / max(1, x.shape[-1])
    starts = torch.arange(0, total.shape[-1] - window, hop, device=x.device)
    return (total[:, starts + window] - total[:, starts]).clamp_min(0.0) / window


def _music_db(x: torch.Tensor, rate: int) -> torch.Tensor:
    """Level of the music itself, dBFS: mean power of the 400 ms within 20 dB of the loudest."""
    power = _frames(x, rate, 0.4, 0.1)
    loud = (power > power.amax(-1, keepdim=True) / 100).double()
    return _db((power * loud).sum(-1) / loud.sum(-1).clamp_min(1))


def noise_floor_db(x: torch.Tensor, rate: int) -> torch.Tensor:
    """How quiet it ever gets: RMS level of the quietest 400 ms, dBFS (a full-scale square reads 0)."""
    return _db(_frames(x, rate, 0.4, 0.05).amin(-1))


def level_between_db(x: torch.Tensor, rate: int, start_s: float, end_s: float) -> torch.Tensor:
    """Level of one stretch against the music's, dB: what still sounds in a written silence.

    Raises `InputError` where the stretch lies outside the sound.
    """
    start, end = round(start_s * rate), round(end_s * rate)
    if not 0 <= start < end <= x.shape[-1]:
        raise InputError(
            f"a stretch from {start_s:g} to {end_s:g} s; the sound is {x.shape[-1] / rate:.2f} s long"
        )
    return _db(x[..., start:end].double().square().mean((1, 2))) - _music_db(x, rate)


def _last_heard(x: torch.Tensor, rate: int) -> torch.Tensor:
    """One past the last sample above the music's level - 60 dB: (batch,); 0 for silence."""
    peak = x.detach().double().abs().amax(1)
    heard = peak > 10 ** ((_music_db(x, rate)[:, None] - GONE_DB) / 20)
    place = torch.arange(1, x.shape[-1] + 1, device=x.device)
    return (heard * place).amax(-1)


def end_hardness_db(x: torch.Tensor, rate: int) -> torch.Tensor:
    """How hard it ends: fall of level from the last 10 ms of sound to the 10 ms after it, dB.

    Sound ends where it is 60 dB under the music, so 60 is the most this reads; a tail that fades
    out reads nearly 0, a note cut in its middle 30 and more. What comes after the file is silence.
    """
    span = max(1, round(0.01 * rate))
    sound = pad(x, (span, span))
    falls = []
    for item, last in enumerate(_last_heard(x, rate).tolist()):
        before = sound[item, :, last : last + span].double().square().mean()
        after = sound[item, :, last + span : last + 2 * span].double().square().mean()
        least = _music_db(x[item : item + 1], rate)[0] - GONE_DB
        falls.append((torch.maximum(_db(before), least) - torch.maximum(_db(after), least)).clamp_min(0.0))
    return torch.stack(falls)


def tail_s(x: torch.Tensor, rate: int, last_note_s: float) -> torch.Tensor:
    """How long sound goes on after the last note was let go, s: until it stays 60 dB under the music."""
    return _last_heard(x, rate).double() / rate - last_note_s


def drift_db(x: torch.Tensor, rate: int) -> torch.Tensor:
    """Tone at the end against tone at the start, dB: highs (from 3 kHz) over the rest, third by third."""
    third = max(1, x.shape[-1] // 3)
    tilt = []
    for start in (0, x.shape[-1] - third):
        power = _spectrogram(x[..., start : start + third], 4096, 2048).square().sum((1, 3))
        split = int(DRIFT_SPLIT_HZ / rate * 4096) + 1
        tilt.append(_db(power[:, split:].sum(-1)) - _db(power[:, 1:split].sum(-1)))
    return tilt[1] - tilt[0]


def highs_db(x: torch.Tensor, rate: int) -> torch.Tensor:
    """What sounds above 9 kHz against the middle (200 to 2000 Hz), dB: where a band limit is heard."""
    power = _spectrogram(x, 4096, 2048).square().sum((1, 3))
    low, middle, high = (round(hz / rate * 4096) for hz in (200, 2000, HIGHS_HZ))
    return _db(power[:, high:].sum(-1)) - _db(power[:, low:middle].sum(-1))


def clip_share(x: torch.Tensor, rate: int) -> torch.Tensor:
    """Share of samples within 0.5 dB of their second's own peak, the loud seconds averaged.

    Peaks of music are rare: 0.0001 or so. Clipped ones pile up against the ceiling.
    """
    second = min(rate, x.shape[-1])
    blocks = x.abs().unfold(-1, second, second)  # (batch, channels, seconds, samples)
    top = blocks.amax((1, 3), keepdim=True)
    share = (blocks >= top * 10 ** (-0.5 / 20)).double().mean((1, 3))
    loud = (top[:, 0, :, 0] > top[:, 0, :, 0].amax(-1, keepdim=True) / 2).double()
    return (share * loud).sum(-1) / loud.sum(-1)


def pitch_cents(x: torch.Tensor, reference: torch.Tensor, rate: int) -> torch.Tensor:
    """Pitch of x against `reference` over time, cents: (batch, moments), one per 23 ms at 44.1 kHz.

    In each moment the instantaneous frequencies of shared partials (phase advance over a short hop;
    Flanagan & Golden 1966) are compared, and their median by strength is the moment's pitch. Moments
    without a pitch (drums, silence) hold NaN.
    """
    size, hop, step = 4096, 1024, 64
    length = min(x.shape[-1], reference.shape[-1])
    bins = torch.arange(size // 2 + 1, device=x.device)[:, None]
    kept = slice(*(round(hz / rate * size) for hz in PITCH_HZ))
    centre = 2 * torch.pi * bins * step / size
    frequency, strength = [], []
    for sound in (reference, x):
        mono = sound[..., :length].double().mean(1)
        here, next_ = (_stft(mono[:, s : length - step + s], size, hop) for s in (0, step))
        advance = torch.angle(next_ * here.conj()) - centre
        advance = advance - 2 * torch.pi * torch.round(advance / (2 * torch.pi)) + centre
        frequency.append(advance[:, kept])
        strength.append(here.abs()[:, kept])
    weight = strength[0] * strength[1]
    top = weight.amax(1, keepdim=True)
    loud = top > top.amax(-1, keepdim=True) * 10 ** (-2 * PARTIAL_DB / 20)
    weight = weight * (weight > top * 10 ** (-PARTIAL_DB / 10)) * loud
    ratio = (frequency[1] / frequency[0]).clamp(0.5, 2.0)
    cents = 1200 * torch.log2(ratio)
    # further than a semitone apart these are not the same partial
    weight = weight * (cents.abs() < 100)
    median = _weighted_median(cents, weight)
    return torch.where(weight.sum(1) > 0, median, torch.nan)


def wow_cents(x: torch.Tensor, reference: torch.Tensor, rate: int) -> torch.Tensor:
    """How far the pitch of x strays from that of `reference`, cents: the most, but for one moment in twenty.

    Slow wow and fast flutter up to about 5 Hz; silence and noise, which have no pitch, are left out.
    """
    strayed = []
    for trace in pitch_cents(x, reference, rate):
        trace = trace[~trace.isnan()]
        if len(trace) < 5:
            strayed.append(trace.new_zeros(()))
            continue
        smooth = trace.unfold(0, 5, 1).median(-1).values
        strayed.append((smooth - smooth.median()).abs().quantile(0.95))
    return torch.stack(strayed)


def lift_db(x: torch.Tensor, reference: torch.Tensor, rate: int) -> torch.Tensor:
    """How much louder x stands than `reference` over time, dB, its mean taken off: (batch, moments).

    Short-term loudness (3 s), ten times a second; moments 40 dB under the loudest count for nothing (0).
    """
    length = min(x.shape[-1], reference.shape[-1])
    one, other = (short_term(s[..., :length], rate, hop_ms=100.0) for s in (x, reference))
    music = (other > other.amax(-1, keepdim=True) - 40.0).double()
    lift = (one - other).double() * music
    return (lift - lift.sum(-1, keepdim=True) / music.sum(-1, keepdim=True).clamp_min(1)) * music


def section_peak(x: torch.Tensor, reference: torch.Tensor, rate: int) -> torch.Tensor:
    """Where x is lifted most against `reference`, 0 (start) to 1 (end): the middle of its upper quarter."""
    lift = lift_db(x, reference, rate)
    low, high = lift.amin(-1, keepdim=True), lift.amax(-1, keepdim=True)
    above = (lift - (low + 0.75 * (high - low))).clamp_min(0.0)
    length_s = min(x.shape[-1], reference.shape[-1]) / rate
    centre_s = torch.arange(lift.shape[-1], device=x.device) * 0.1 + min(1.5, length_s / 2)
    return (above * centre_s).sum(-1) / above.sum(-1).clamp_min(1e-12) / length_s


def end_lift_db(x: torch.Tensor, reference: torch.Tensor, rate: int) -> torch.Tensor:
    """How much the last sixth is lifted against `reference`, over and above the whole song, dB."""
    lift = lift_db(x, reference, rate)
    last_sixth = round(5 / 6 * min(x.shape[-1], reference.shape[-1]) / rate / 0.1)
    return lift[:, min(last_sixth, lift.shape[-1] - 1) :].mean(-1)


#: Moves of one part against the others that are tried, dB: first coarsely, then finely about the best.
_MOST_MOVED_DB, _MOVED_STEPS_DB = 18.0, (1.5, 0.1)


def part_change_db(
    x: torch.Tensor, reference: torch.Tensor, part: torch.Tensor, rest: torch.Tensor, rate: int
) -> torch.Tensor:
    """How much louder one part stands against the others in x than in `reference`, dB.

    `part` and `rest` are the song's own stems. In every third of an octave and every 93 ms the change
    of level from reference to x is what the moment's gain did (a limiter), what the band's filter did
    (an equaliser), and what the part's share of that moment and band makes of its move: the move is
    the one that leaves the least unexplained once the first two are averaged out.
    """
    sounds = (x, reference, part, rest)
    length, size = min(sound.shape[-1] for sound in sounds), 4096
    edges = [round(100 * 2 ** (i / 3) / rate * size) for i in range(21)]
    steps = [(low, high) for low, high in zip(edges, edges[1:], strict=False) if low < high]
    powers = [_spectrogram(s[..., :length], size, size // 2).square().sum(1) for s in sounds]
    # each (batch, bands, moments)
    after, before, one, others = (torch.stack([p[:, a:b].sum(1) for a, b in steps], 1) for p in powers)
    loud = before / before.amax(-1, keepdim=True).clamp_min(1e-300)
    # the roots of the powers: soft moments count, loud ones count more
    weight = torch.where((loud > 1e-4) & (after > 0) & (one + others > 0), loud.sqrt(), 0.0)
    change = torch.where(
        weight > 0, 10 * torch.log10((after / before.clamp_min(1e-300)).clamp_min(1e-12)), 0.0
    )
    share = one / (one + others).clamp_min(1e-300)

    def unexplained_by(move_db: float) -> torch.Tensor:
        left = change - 10 * torch.log10(1 + share * (10 ** (move_db / 10) - 1))
        for _ in range(3):  # what bands and moments have in common, taken off in turn
            for dim in (1, 2):
                total = weight.sum(dim, keepdim=True).clamp_min(1e-12)
                left = left - (weight * left).sum(dim, keepdim=True) / total
        return (weight * left.abs()).sum((1, 2))

    best = torch.zeros(len(change), dtype=change.dtype, device=change.device)
    for item in range(len(change)):
        around, reach = 0.0, _MOST_MOVED_DB
        for step in _MOVED_STEPS_DB:
            tried = torch.arange(-reach, reach + step / 2, step, dtype=torch.float64) + around
            left = [float(unexplained_by(move)[item]) for move in tried.tolist()]
            around, reach = float(tried[int(torch.tensor(left).argmin())]), step
        best[item] = around
    return best


def _stft(mono: torch.Tensor, size: int, hop: int) -> torch.Tensor:
    mono = pad(mono, (0, max(0, size - mono.shape[-1])))
    window = torch.hann_window(size, dtype=mono.dtype, device=mono.device)
    return torch.stft(mono, size, hop, window=window, center=False, return_complex=True)


def _spectrogram(x: torch.Tensor, size: int, hop: int) -> torch.Tensor:
    """Magnitudes (batch, channels, bins, moments)."""
    return _stft(x.double().flatten(0, 1), size, hop).abs().unflatten(0, x.shape[:2])


def _weighted_median(values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Median over dim 1: the value where half of the weight lies below."""
    order = values.argsort(1)
    share = weights.gather(1, order).cumsum(1)
    middle = (share >= share[:, -1:] / 2).double().argmax(1, keepdim=True)
    return values.gather(1, order.gather(1, middle))[:, 0]
