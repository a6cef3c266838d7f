"""A trace that grows block by block for hours, without a thousand small pieces of memory."""

from __future__ import annotations

import torch

#: Values a page holds for each item and channel at most: four minutes of ticks.
_PAGE = 1 << 16


class Pages:
    """Consecutive pieces (..., n) of one trace, laid side by side: `add` them, then `joined`.

    Small pieces that stay among large ones that go would tear memory to shreds (300 MB an hour), so
    they are copied into pages; where somebody wants gradients they are kept as they are.
    """

    def __init__(self) -> None:
        self._full: list[torch.Tensor] = []
        self._page: torch.Tensor | None = None
        self._used = 0  # of the page
        self._length = 0

    def add(self, piece: torch.Tensor) -> None:
        """The next piece; all are of one shape but for their length."""
        if piece.requires_grad:
            self._full.append(piece)
            return
        while piece.shape[-1]:
            if self._page is None:
                length = max(piece.shape[-1], min(self._length, _PAGE))
                self._page, self._used = piece.new_empty(*piece.shape[:-1], length), 0
            part = piece[..., : self._page.shape[-1] - self._used]
            self._page[..., self._used : self._used + part.shape[-1]] = part
            self._used += part.shape[-1]
            self._length += part.shape[-1]
            piece = piece[..., part.shape[-1] :]
            if self._used == self._page.shape[-1]:
                self._full.append(self._page)
                self._page = None

    def joined(self) -> torch.Tensor:
        """The whole trace, once: the pages are given up. At least one piece must have come."""
        if self._page is not None:
            self._full.append(self._page[..., : self._used])
        pages, self._full, self._page = self._full, [], None
        return torch.cat(pages, dim=-1)
