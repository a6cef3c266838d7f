"""A long filter without delay: its answer in parts as long as a block, each part one product a block.

Uniformly partitioned overlap-save with a frequency-domain delay line (Wefers 2015, Partitioned
convolution algorithms for real-time auralization, 5.3).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from daiw_master.stack.linear import mirror


class Partitioned:
    """Real or complex sound through taps of the same kind, any number of samples at a time, at once.

    `taps` (batch or 1, rows or 1, taps); sounds are (batch, rows, n). With complex sound, `mirrored`
    answers its conjugate. The parts are `block` samples long: a push of exactly so many costs two
    transforms of twice as many and one product for each part; shorter ones transform as often as pushed.
    All memory is taken at the start, for sounds shaped like `like` (batch, channels, n).
    """

    def __init__(self, taps: torch.Tensor, mirrored: torch.Tensor | None, block: int, like: torch.Tensor):
        self.block, self.complex = block, taps.is_complex()
        self._filters = [self._parts(part) for part in (taps, mirrored) if part is not None]
        first = self._filters[0]
        self.parts = len(first)
        self._sound = taps.new_zeros(len(like), 1 if self.complex else like.shape[1], 2 * block)
        self._at = 0  # how much of the newest block has come
        # Every spectrum is kept twice, a lap apart, so that the last ones always lie side by side.
        shape = self._spectrum().shape
        self._heard = [first.new_zeros(2 * self.parts, *shape) for _ in self._filters]
        self._next = 0
        # not torch.broadcast_shapes, which imports sympy: a second
        answer = tuple(map(max, shape, first.shape[1:]))
        self._product = first.new_empty(self.parts - 1, *answer)
        self._past = first.new_zeros(answer)

    def push(self, x: torch.Tensor) -> torch.Tensor:
        """The next samples in, as many out."""
        if not x.shape[-1]:
            return self._past[..., :0].real.to(x.dtype)
        made = []
        for piece in x.split([*self._cuts(x.shape[-1])], dim=-1):
            start, stop = self._at, self._at + piece.shape[-1]
            self._sound[..., self.block + start : self.block + stop] = piece
            spectra = self._mirrors(self._spectrum())
            y = self._past + sum(parts[-1] * now for parts, now in zip(self._filters, spectra, strict=True))
            y = torch.fft.ifft(y) if self.complex else torch.fft.irfft(y, 2 * self.block)
            made.append(y[..., self.block + start : self.block + stop])
            self._at = stop
            if stop == self.block:
                self._turn(spectra)
        return made[0] if len(made) == 1 else torch.cat(made, dim=-1)

    def _cuts(self, count: int) -> Iterator[int]:
        """How many of `count` samples fall into this block, the next and so on."""
        at = self._at
        while count:
            piece = min(count, self.block - at)
            yield piece
            count, at = count - piece, 0

    def _turn(self, spectra: list[torch.Tensor]) -> None:
        """A block is full: what it and those before it will answer in the next."""
        for heard, now in zip(self._heard, spectra, strict=True):
            heard[self._next] = heard[self._next + self.parts] = now
        self._next = (self._next + 1) % self.parts
        self._remember()
        self._sound[..., : self.block] = self._sound[..., self.block :]
        self._sound[..., self.block :] = 0
        self._at = 0

    def _remember(self) -> None:
        """What all whole blocks so far will answer in the one that comes."""
        self._past.zero_()
        if self.parts > 1:
            oldest = self._next + 1
            for heard, parts in zip(self._heard, self._filters, strict=True):
                torch.mul(heard[oldest : oldest + self.parts - 1], parts[:-1], out=self._product)
                self._past += self._product.sum(0)

    def resume(self, before: Partitioned) -> None:
        """Go on from the sound another filter of the same kind has heard, as far back as both reach."""
        count = min(self.parts, before.parts)
        newest = before._next + before.parts
        recent = self._mirrors(before._heard[0][newest - count : newest])
        for heard, spectra in zip(self._heard, recent, strict=True):
            heard[self.parts - count : self.parts] = heard[2 * self.parts - count :] = spectra
        self._next = 0
        self._sound.copy_(before._sound)
        self._at = before._at
        self._remember()

    def _parts(self, taps: torch.Tensor) -> torch.Tensor:
        """Spectra of the filter's parts, the last first: (parts, batch or 1, rows or 1, bins)."""
        parts = -(-taps.shape[-1] // self.block)
        taps = torch.nn.functional.pad(taps, (0, parts * self.block - taps.shape[-1]))
        parts = taps.unflatten(-1, (parts, self.block)).movedim(-2, 0).flip(0)
        transform = torch.fft.fft if self.complex else torch.fft.rfft
        return transform(parts, 2 * self.block)

    def _spectrum(self) -> torch.Tensor:
        return torch.fft.fft(self._sound) if self.complex else torch.fft.rfft(self._sound)

    def _mirrors(self, spectrum: torch.Tensor) -> list[torch.Tensor]:
        return [spectrum, mirror(spectrum)] if len(self._filters) > 1 else [spectrum]
