"""A style: what a production sounds like whatever is played in it, as one vector that can be saved."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from daiw_master.audio import Audio
from daiw_master.errors import InputError
from daiw_master.files import open_sound, write_text_atomic
from daiw_master.meters import heard
from daiw_master.neural.encoder import STYLE_RATE, StyleEncoder, style_encoder
from daiw_master.neural.windows import windows_of
from daiw_master.sounds import Sound, sound_of

FORMAT = "daiw-master style 1"
SUFFIX = ".style"
#: Windows are encoded so many at a time.
_TOGETHER = 8
#: A style file holds a few hundred numbers and names; more is something else under its name.
_LARGEST_BYTES = 1 << 22
#: Of five seconds nobody can say how far soft passages stand from loud ones.
_NOT_IN_A_WINDOW = ("loudness_range_lu",)


@dataclass(frozen=True)
class StyleSource:
    """One sound a style was heard in: its name, the hash of its bytes, and how much of it was heard."""

    name: str
    sha256: str
    seconds: float
    windows: int


@dataclass(frozen=True)
class Style:
    """What a production sounds like: `embedding` (E,) float32 of unit norm, what the mid tells first.

    `spread` is the mean distance (1 - cosine) of single windows from it: small where a piece sounds the
    same throughout. `heard` is the same in the words of the targets, averaged over the windows; `encoder`
    names the encoder that heard it: vectors of two encoders have nothing to say to each other.
    """

    embedding: np.ndarray
    spread: float
    windows: int
    encoder: str
    sources: tuple[StyleSource, ...] = ()
    heard: Mapping[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What it was heard in: "ref.wav", "a.wav and 2 more"."""
        if not self.sources:
            return "a style"
        more = len(self.sources) - 1
        return self.sources[0].name + (f" and {more} more" if more else "")

    def similarity(self, other: Style | np.ndarray) -> float:
        """The cosine between two styles: 1 is the same."""
        return cosine(self.embedding, other.embedding if isinstance(other, Style) else other)


def unit(vector: np.ndarray) -> np.ndarray:
    """A direction, float32 of norm 1."""
    vector = np.asarray(vector, dtype=np.float64)
    return (vector / max(float(np.linalg.norm(vector)), 1e-12)).astype(np.float32)


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    """The cosine of the angle between two vectors, each taken at norm 1."""
    return float(np.dot(unit(one).astype(np.float64), unit(other).astype(np.float64)))


def halves(embedding: np.ndarray, encoder: StyleEncoder | None = None) -> tuple[np.ndarray, np.ndarray]:
    """What the mid tells and what the side tells of a style."""
    middle = (style_encoder() if encoder is None else encoder).mid_size
    return embedding[:middle], embedding[middle:]


def embed_style(source: str | os.PathLike | Audio) -> np.ndarray:
    """What a recording sounds like, as one vector: (E,) float32 of norm 1, mid then side.

    Two recordings treated alike lie close (a high dot product), whatever is played in them. `source` is
    a sound file of any length or `Audio`; its level makes no difference. `InputError` where it is silent,
    shorter than half a second or no sound file.
    """
    return style_of(source).embedding


def style_of(
    sources: str | os.PathLike | Audio | Sound | Style | Sequence, encoder: StyleEncoder | None = None
) -> Style:
    """The style of one source, or of several together, in which each weighs the same.

    A source is a sound file, a `.style` file, `Audio`, a `Sound` or a `Style`. Raises `InputError`.
    """
    encoder = style_encoder() if encoder is None else encoder
    several = isinstance(sources, (list, tuple))
    styles = [_style(source, encoder) for source in (sources if several else [sources])]
    if not styles:
        raise InputError("no sound given; a style is heard in at least one")
    return styles[0] if len(styles) == 1 else mean_style(styles)


def mean_style(styles: Sequence[Style]) -> Style:
    """Several styles as one: the middle of their directions, each weighing the same."""
    embedding = unit(np.mean([style.embedding for style in styles], axis=0))
    # A style's windows lie around its own direction m with mean cosine 1 - spread; their mean vector is
    # (1 - spread) m, so their mean cosine with any direction c is (1 - spread) m.c
    closeness = [(1 - style.spread) * style.similarity(embedding) for style in styles]
    fields = [name for name in styles[0].heard if all(name in style.heard for style in styles)]
    return Style(
        embedding,
        float(1 - np.mean(closeness)),
        sum(style.windows for style in styles),
        styles[0].encoder,
        tuple(source for style in styles for source in style.sources),
        {name: float(np.mean([style.heard[name] for style in styles])) for name in fields},
    )


def encoder_digest(encoder: StyleEncoder) -> str:
    """A few letters that name an encoder: its file's, or those of its numbers where it has no file."""
    if encoder.digest:
        return encoder.digest
    tensors = sorted(encoder.state_dict().items())
    return _sha256(tensor.detach().cpu().float().numpy().tobytes() for _, tensor in tensors)[:12]


def write_style(style: Style, path: str | os.PathLike) -> Path:
    """Write a style as JSON, whole or not at all; `WriteError` where that cannot be."""
    told = {
        "format": FORMAT,
        "encoder": style.encoder,
        "spread": round(style.spread, 6),
        "windows": style.windows,
        "sources": [vars(source) for source in style.sources],
        "heard": {name: round(value, 3) for name, value in style.heard.items()},
        "embedding": [round(float(value), 7) for value in style.embedding],
    }
    return write_text_atomic(path, json.dumps(told, indent=1, ensure_ascii=False) + "\n")


def read_style(path: str | os.PathLike, *, encoder: str | None = None) -> Style:
    """Read a style; `encoder` is the digest it must have been made with (if nothing is said, ours).

    `InputError` in one line for: missing, no style file, damaged, made with another encoder.
    """
    path = Path(path)
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise InputError(f"{path}: not a style file (too large); `daiw-master style embed` writes them")
        told = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise InputError(f"{path}: not a style file; `daiw-master style embed` writes them") from error
    return style_from(told, str(path), encoder=encoder)


def style_from(told: object, name: str, *, encoder: str | None = None) -> Style:
    """A style from its JSON; see `read_style`."""
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        said = told.get("format") if isinstance(told, dict) else None
        found = f"its format is {said!r}" if said else "it does not name its format"
        raise InputError(f"{name}: not a style file this version reads ({found}; {FORMAT!r} is)")
    wanted = encoder_digest(style_encoder()) if encoder is None else encoder
    if told.get("encoder") != wanted:
        raise InputError(
            f"{name}: heard by another encoder ({told.get('encoder')}; this one is {wanted}); "
            f"embed its sources again with `daiw-master style embed`"
        )
    try:
        embedding = np.array([float(value) for value in told["embedding"]], dtype=np.float32)
        if not abs(float(np.linalg.norm(embedding)) - 1) <= 1e-3:  # nor is NaN
            raise ValueError("its embedding is no direction")
        return Style(
            unit(embedding),
            float(told["spread"]),
            int(told["windows"]),
            wanted,
            tuple(StyleSource(**source) for source in told["sources"]),
            {str(field): float(value) for field, value in told["heard"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{name}: a damaged style file ({error}); embed its sources again") from error


def _style(source, encoder: StyleEncoder) -> Style:
    digest = encoder_digest(encoder)
    if isinstance(source, Style):
        if source.encoder != digest:
            raise InputError(f"{source.name}: heard by another encoder; embed its sources again")
        return source
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        if path.suffix.lower() == SUFFIX:
            return read_style(path, encoder=digest)
        with open_sound(path) as sound:
            return _heard_in(sound, path.name, _sha256(_pieces(path)), encoder, digest)
    sound = sound_of(source)
    bytes_of = (block.contiguous().numpy().tobytes() for block in sound.blocks())
    return _heard_in(sound, "audio", _sha256(bytes_of), encoder, digest)


@torch.no_grad()
def _heard_in(sound: Sound, name: str, sha256: str, encoder: StyleEncoder, digest: str) -> Style:
    windows = windows_of(sound, name)
    rows, fields = [], []
    for batch in windows.split(_TOGETHER):
        rows.append(encoder(batch).double())
        fields.append({field: value.double() for field, value in heard(batch, STYLE_RATE).items()})
    vectors = torch.cat(rows).numpy()
    embedding = unit(vectors.mean(0))
    if not np.isfinite(embedding).all():
        raise InputError(f"{name}: nothing can be heard in it")
    means = {
        field: float(torch.cat([row[field] for row in fields]).mean())
        for field in fields[0]
        if field not in _NOT_IN_A_WINDOW
    }
    spread = float(1 - (vectors @ embedding.astype(np.float64)).mean())
    source = StyleSource(name, sha256, round(sound.time / sound.rate, 3), len(windows))
    return Style(embedding, max(0.0, spread), len(windows), digest, (source,), means)


def _pieces(path: Path) -> Iterable[bytes]:
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            yield piece


def _sha256(pieces: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()
