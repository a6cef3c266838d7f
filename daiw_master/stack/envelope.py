"""Between sound and control: levels read off the sound, gains laid back onto it, a few thousand a second.

Everything that decides about level works on a trace with one value per `hop` samples (about 0.2 ms);
only these two functions touch every sample, in blocks, so memory stays near the sound's own size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch.nn import functional

#: Samples per block: two channels and their gain fit a second-level cache.
_BLOCK = 1 << 16


def control_hop(rate: int) -> int:
    """Samples per control value: 8 at 44.1 and 48 kHz, doubled with each octave of rate.

    0.18 ms resolves the fastest attack on offer (0.5 ms) within a tenth of itself.
    """
    return 2 ** max(0, round(math.log2(8 * rate / 46000)))


def power_trace(x: torch.Tensor, hop: int) -> torch.Tensor:
    """How much sound there is, hop by hop: (batch, channels, time) -> (batch, ceil(time / hop)).

    Mean square over the hop and over all channels together, so that one gain serves both sides and
    the stereo image stands still. A full-scale square is 1 (0 dB), a full-scale sine 0.5 (-3 dB).
    """
    return _Power.apply(x, hop)


def apply_gains(hop: int, *layers: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """Turn each layer's fader along its own trace and add the layers up: (batch, channels, time).

    A layer is (sound (batch, channels, time), gain (batch, frames)); gains are amplitude factors,
    reached at the end of their hop and drawn as straight lines between. One of the two batches may be 1.
    """
    return _Fader.apply(hop, *(tensor for layer in layers for tensor in layer))


class Fader:
    """`apply_gains` for sounds that come in blocks: each line goes on from the last gain of the block before.

    Every block of every layer ends with a hop, only the last one may be cut short. Without autograd.
    """

    def __init__(self, hop: int) -> None:
        self.hop = hop
        self._before: list[torch.Tensor | None] | None = None

    def __call__(self, *layers: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        """Layers as in `apply_gains`, all of one length: (batch, channels, time)."""
        out = _faded(self.hop, layers, self._before or [None] * len(layers))
        self._before = [gain[:, -1:].clone() for _, gain in layers]
        return out


def _spans(count: int, hop: int) -> list[tuple[int, int]]:
    """(first sample, frames) of each block."""
    frames = max(1, _BLOCK // hop)
    return [(start, min(frames, -(-(count - start) // hop))) for start in range(0, count, frames * hop)]


class _Power(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: torch.Tensor, hop: int) -> torch.Tensor:
        ctx.save_for_backward(x)
        ctx.hop = hop
        batch, channels, count = x.shape
        mean = torch.full((hop,), 1 / (hop * channels), dtype=x.dtype, device=x.device)
        trace = torch.empty(batch, -(-count // hop), dtype=x.dtype, device=x.device)
        for start, frames in _spans(count, hop):
            block = x[..., start : start + frames * hop].square().sum(1)
            block = functional.pad(block, (0, frames * hop - block.shape[-1]))
            trace[:, start // hop : start // hop + frames] = block.unflatten(-1, (frames, hop)) @ mean
        if count % hop:
            trace[:, -1] *= hop / (count % hop)
        return trace

    @staticmethod
    def backward(ctx, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        (x,) = ctx.saved_tensors
        hop, count = ctx.hop, x.shape[-1]
        share = 2 * grad / (hop * x.shape[1])
        if count % hop:
            share = torch.cat([share[:, :-1], share[:, -1:] * (hop / (count % hop))], dim=-1)
        return x * share.repeat_interleave(hop, -1)[:, None, :count], None


class _Fader(torch.autograd.Function):
    @staticmethod
    def forward(ctx, hop: int, *tensors: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(*tensors)
        ctx.hop = hop
        layers = list(zip(tensors[::2], tensors[1::2], strict=True))
        return _faded(hop, layers, [None] * len(layers))

    @staticmethod
    def backward(ctx, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        tensors, hop = ctx.saved_tensors, ctx.hop
        count = grad.shape[-1]
        wanted: list[torch.Tensor | None] = [None]
        ramp = _ramp(grad, hop)
        for i, (sound, gain) in enumerate(zip(tensors[::2], tensors[1::2], strict=True)):
            to_sound = torch.empty_like(sound) if ctx.needs_input_grad[1 + 2 * i] else None
            # Index 0 collects what belongs to the gain before the first hop: the first gain itself.
            to_gain = torch.zeros(len(gain), gain.shape[-1] + 1, dtype=gain.dtype, device=gain.device)
            for start, frames in _spans(count, hop):
                here = slice(start, min(count, start + frames * hop))
                if to_sound is not None:
                    line = _line(gain, start, frames, hop)[:, None, : here.stop - start]
                    to_sound[..., here] = (grad[..., here] * line).sum_to_size(sound[..., here].shape)
                pull = (grad[..., here] * sound[..., here]).sum(1)
                pull = functional.pad(pull, (0, frames * hop - pull.shape[-1]))
                pull = pull.sum_to_size(len(gain), pull.shape[-1]).unflatten(-1, (frames, hop))
                first = start // hop
                arriving = pull @ ramp
                to_gain[:, first + 1 : first + frames + 1] += arriving
                to_gain[:, first : first + frames] += pull.sum(-1) - arriving
            to_gain = torch.cat([to_gain[:, :1] + to_gain[:, 1:2], to_gain[:, 2:]], dim=-1)
            wanted += [to_sound, to_gain]
        return tuple(wanted)


def _faded(
    hop: int,
    layers: Sequence[tuple[torch.Tensor, torch.Tensor]],
    before: Sequence[torch.Tensor | None],
) -> torch.Tensor:
    """The layers along their gains; `before`: each layer's gain in front of its first, (batch, 1) or None."""
    batch = max(len(tensor) for layer in layers for tensor in layer)
    first = layers[0][0]
    count = first.shape[-1]
    out = torch.empty(batch, *first.shape[1:], dtype=first.dtype, device=first.device)
    for start, frames in _spans(count, hop):
        here = slice(start, min(count, start + frames * hop))
        for i, (sound, gain) in enumerate(layers):
            line = _line(gain, start, frames, hop, before[i])[:, None, : here.stop - start]
            if i == 0:
                torch.mul(sound[..., here], line, out=out[..., here])
            else:
                out[..., here].addcmul_(sound[..., here], line)
    return out


def _ramp(like: torch.Tensor, hop: int) -> torch.Tensor:
    return torch.arange(1, hop + 1, dtype=like.dtype, device=like.device) / hop


def _line(
    gain: torch.Tensor, start: int, frames: int, hop: int, before: torch.Tensor | None = None
) -> torch.Tensor:
    """The gain at every sample of a block: (batch, frames * hop)."""
    first = start // hop
    now = gain[:, first : first + frames, None]
    if first:
        before = gain[:, first - 1 : first]
    elif before is None:
        before = gain[:, :1]  # nothing came before: the first gain is held
    points = torch.cat([before[..., None], now[:, :-1]], dim=1)
    return torch.addcmul(points, now - points, _ramp(gain, hop)).flatten(1)
