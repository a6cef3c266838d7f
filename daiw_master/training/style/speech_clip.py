"""Somebody speaks for six seconds: espeak-ng with a voice, a pitch and a pace, dry and in the middle."""

from __future__ import annotations

import io
import subprocess
import wave
from dataclasses import dataclass

import numpy as np

from daiw_master.errors import InputError, MissingDependencyError
from daiw_master.training.style.audio_clip import at_48k
from daiw_master.training.style.clips import CLIP, stereo
from daiw_master.training.style.sentences import SENTENCES
from daiw_master.training.style.works import split_of

#: Accents and the language whose sentences they read.
ACCENTS = {
    "en-us": "en",
    "en-gb": "en",
    "en-gb-scotland": "en",
    "en-gb-x-rp": "en",
    "en-gb-x-gbclan": "en",
    "en-029": "en",
    "de": "de",
    "fr-fr": "fr",
    "es": "es",
    "it": "it",
}
#: espeak-ng's speakers.
SPEAKERS = ("m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "f1", "f2", "f3", "f4", "f5", "klatt2", "klatt4")
#: Words a minute, and pitch as espeak-ng counts it (0 to 99).
PACE_WPM, PITCH = (120, 210), (20, 80)


@dataclass(frozen=True)
class Voice:
    """One speaker: accent and timbre."""

    accent: str
    speaker: str

    @property
    def name(self) -> str:
        return f"{self.accent}+{self.speaker}"


def voices(split: str) -> list[Voice]:
    """The speakers of one side of the split."""
    every = [Voice(accent, speaker) for accent in ACCENTS for speaker in SPEAKERS]
    return [voice for voice in every if split_of("voice", voice.name) == split]


def sentences(language: str, split: str) -> list[str]:
    """What that side says; never what another side says."""
    return [text for text in SENTENCES[language] if split_of("sentence", text) == split]


def speak(voice: Voice, split: str, rng: np.random.Generator, length: int = CLIP) -> np.ndarray:
    """(2, length) float32 of the voice reading that side's sentences, in mono."""
    words = sentences(ACCENTS[voice.accent], split) or sentences("en", split)
    pace, pitch = int(rng.integers(*PACE_WPM)), int(rng.integers(*PITCH))
    said: list[np.ndarray] = []
    order = rng.permutation(len(words))
    turn = 0
    while sum(part.size for part in said) < length:
        said.append(_said(voice, words[order[turn % len(order)]], pace, pitch))
        turn += 1
    return stereo(np.concatenate(said)[None, :length])


def _said(voice: Voice, text: str, pace: int, pitch: int) -> np.ndarray:
    command = ["espeak-ng", "-v", voice.name, "-s", str(pace), "-p", str(pitch), "--stdout", text]
    try:
        made = subprocess.run(command, check=True, capture_output=True).stdout
    except FileNotFoundError:
        raise MissingDependencyError("espeak-ng is missing: Debian/Ubuntu `apt install espeak-ng`") from None
    except subprocess.CalledProcessError as error:
        raise InputError(f"espeak-ng refused {voice.name}: {error.stderr.decode(errors='replace')}") from None
    # Written to a pipe the header's length is a placeholder, so the frames are what is there.
    with wave.open(io.BytesIO(made)) as file:
        rate, data = file.getframerate(), file.readframes(file.getnframes())
    sound = np.frombuffer(data[: len(data) // 2 * 2], "<i2").astype(np.float32) / 32768
    heard = np.flatnonzero(np.abs(sound) > 1e-3)
    if not heard.size:
        raise InputError(f"espeak-ng said nothing with voice {voice.name}")
    # espeak-ng pads every sentence; a short breath is left.
    sound = sound[max(heard[0] - 200, 0) : heard[-1] + int(0.08 * rate)]
    return at_48k(sound[None], rate)[0]
