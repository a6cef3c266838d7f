"""libfluidsynth, driven note by note: float output, every part on a bus of its own, no effects.

pyfluidsynth finds the library; its own audio calls are 16-bit, which leaves audible steps under
quiet songs, so the float calls are made here. API: fluidsynth.org/api (2.x).
"""

from __future__ import annotations

import contextlib
import ctypes
import io
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from daiw_master.errors import InputError, MissingDependencyError
from daiw_master.midi import chatter, kept, smf
from daiw_master.midi.parts import Action, Part
from daiw_master.midi.stream import RESET

#: fluidsynth's internal block: events take effect on this grid (1.5 ms at 44.1 kHz).
GRID = 64

#: Every synth.* setting, pinned: defaults differ between versions and builds. The first five follow the song.
SYNTH_SETTINGS: dict[str, int | float | str] = {
    "synth.sample-rate": 44100.0,  # the rate asked for, kept through to the file
    "synth.audio-channels": 1,  # stereo buses, one a part
    "synth.audio-groups": 1,  # the same number: part i sounds on bus i
    "synth.midi-channels": 16,  # one a part, rounded up to a multiple of 16
    "synth.midi-bank-select": "gs",  # bank = CC 0, as most files mean it; "xg" after an XG reset
    "synth.gain": 0.2,  # fluidsynth's own choice since 1.0; float output cannot clip
    "synth.polyphony": 1024,  # no voice is stolen: stealing is audible and differs with the block size
    "synth.reverb.active": 0,  # dry: space is made later, per stem
    "synth.reverb.damp": 0.0,  # the rest of reverb and chorus is idle but pinned
    "synth.reverb.level": 0.0,
    "synth.reverb.room-size": 0.2,
    "synth.reverb.width": 0.5,
    "synth.chorus.active": 0,
    "synth.chorus.depth": 8.0,
    "synth.chorus.level": 0.0,
    "synth.chorus.nr": 0,
    "synth.chorus.speed": 0.3,
    "synth.effects-channels": 2,  # the least the library accepts
    "synth.effects-groups": 1,
    "synth.ladspa.active": 0,
    "synth.cpu-cores": 1,  # more cores cost 2.4 times the CPU and would make the sum's order a matter of luck
    "synth.dynamic-sample-loading": 1,  # only presets in use are read: 169 -> 56 MiB with FluidR3
    "synth.lock-memory": 0,  # nothing here is real time
    "synth.threadsafe-api": 0,  # one thread drives it
    "synth.min-note-length": 10,  # ms; drum hits written with no length still sound
    "synth.device-id": 0,
    "synth.default-soundfont": "",
    "synth.verbose": 0,
    "synth.overflow.age": 1000.0,  # which voice to steal if 1024 are not enough
    "synth.overflow.important": 5000.0,
    "synth.overflow.important-channels": "",
    "synth.overflow.percussion": 4000.0,
    "synth.overflow.released": -2000.0,
    "synth.overflow.sustained": -1000.0,
    "synth.overflow.volume": 500.0,
}
#: Against 7th-order sample interpolation the default 4th is 0.5 dB dull from 6 to 12 kHz and errs by -10 dB
#: above (measured); the price is a third more time.
INTERPOLATION_ORDER = 7

INSTALL_HINT = (
    "libfluidsynth is missing: Debian/Ubuntu `apt install libfluidsynth3`, Fedora `dnf install "
    "fluidsynth-libs`, macOS `brew install fluid-synth`, Windows `choco install fluidsynth`"
)
_CHANNEL_MELODIC, _CHANNEL_DRUM = 0, 1

_INT, _POINTER, _TEXT, _DOUBLE = ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_double
_PROTOTYPES = {
    "fluid_version_str": (_TEXT, ()),
    "fluid_set_log_function": (_POINTER, (_INT, _POINTER, _POINTER)),
    "fluid_default_log_function": (None, (_INT, _TEXT, _POINTER)),
    "new_fluid_settings": (_POINTER, ()),
    "delete_fluid_settings": (None, (_POINTER,)),
    "fluid_settings_setint": (_INT, (_POINTER, _TEXT, _INT)),
    "fluid_settings_setnum": (_INT, (_POINTER, _TEXT, _DOUBLE)),
    "fluid_settings_setstr": (_INT, (_POINTER, _TEXT, _TEXT)),
    "new_fluid_synth": (_POINTER, (_POINTER,)),
    "delete_fluid_synth": (None, (_POINTER,)),
    "fluid_synth_sfload": (_INT, (_POINTER, _TEXT, _INT)),
    "fluid_synth_get_sfont": (_POINTER, (_POINTER, ctypes.c_uint)),
    "fluid_synth_add_sfont": (_INT, (_POINTER, _POINTER)),
    "fluid_synth_remove_sfont": (_INT, (_POINTER, _POINTER)),
    "fluid_synth_set_interp_method": (_INT, (_POINTER, _INT, _INT)),
    "fluid_synth_set_channel_type": (_INT, (_POINTER, _INT, _INT)),
    "fluid_synth_set_gain": (None, (_POINTER, ctypes.c_float)),
    "fluid_synth_bank_select": (_INT, (_POINTER, _INT, _INT)),
    "fluid_synth_program_change": (_INT, (_POINTER, _INT, _INT)),
    "fluid_synth_noteon": (_INT, (_POINTER, _INT, _INT, _INT)),
    "fluid_synth_noteoff": (_INT, (_POINTER, _INT, _INT)),
    "fluid_synth_cc": (_INT, (_POINTER, _INT, _INT, _INT)),
    "fluid_synth_pitch_bend": (_INT, (_POINTER, _INT, _INT)),
    "fluid_synth_channel_pressure": (_INT, (_POINTER, _INT, _INT)),
    "fluid_synth_key_pressure": (_INT, (_POINTER, _INT, _INT, _INT)),
    "fluid_synth_all_notes_off": (_INT, (_POINTER, _INT)),
    "fluid_synth_get_active_voice_count": (_INT, (_POINTER,)),
    "fluid_synth_process": (_INT, (_POINTER, _INT, _INT, _POINTER, _INT, _POINTER)),
}


@cache
def library() -> ctypes.CDLL:
    """libfluidsynth with typed calls. MissingDependencyError names the package where it is not there."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # under CI it prints where it found the library
            import fluidsynth
    except ModuleNotFoundError:
        raise MissingDependencyError("pyfluidsynth is missing: `pip install pyfluidsynth`") from None
    except (ImportError, OSError, AttributeError):  # not found; wrong architecture; not fluidsynth
        raise MissingDependencyError(INSTALL_HINT) from None
    lib = ctypes.CDLL(fluidsynth.lib)
    try:
        for name, (result, arguments) in _PROTOTYPES.items():
            function = getattr(lib, name)
            function.restype, function.argtypes = result, arguments
    except AttributeError:
        raise MissingDependencyError(f"libfluidsynth is older than 2.0. {INSTALL_HINT}") from None
    chatter.redirect(lib)
    return lib


def library_version() -> str:
    """The version libfluidsynth reports, e.g. 2.3.1."""
    return library().fluid_version_str().decode()


class Synth:
    """One fluidsynth with a bus per part; use it in a `with` block, it holds C memory.

    Each is new, so that a song sounds the same whatever was played before; the soundfont is the one
    kept from the last song where that was the same (see `kept`). Any number may play at once.
    """

    def __init__(self, soundfont: Path, parts: Sequence[Part], rate: int, xg_banks: bool = False):
        self._lib = library()
        self._parts = parts
        self._settings = self._synth = self._font = None
        self._quiet = chatter.Quiet()
        try:
            self._open(soundfont, rate, xg_banks)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Synth:
        return self

    def __exit__(self, *exc_info) -> None:
        self.close()

    def _open(self, soundfont: Path, rate: int, xg_banks: bool) -> None:
        lib, groups = self._lib, len(self._parts)
        pinned = {
            **SYNTH_SETTINGS,
            "synth.sample-rate": float(rate),
            "synth.audio-channels": groups,
            "synth.audio-groups": groups,
            "synth.midi-channels": -(-groups // 16) * 16,
            "synth.midi-bank-select": "xg" if xg_banks else "gs",
        }
        self._settings = lib.new_fluid_settings()
        for name, value in pinned.items():
            # A setting unknown to an older library is refused by a return code; that is fine.
            if isinstance(value, str):
                lib.fluid_settings_setstr(self._settings, name.encode(), value.encode())
            elif isinstance(value, float):
                lib.fluid_settings_setnum(self._settings, name.encode(), value)
            else:
                lib.fluid_settings_setint(self._settings, name.encode(), value)
        self._synth = lib.new_fluid_synth(self._settings)
        if not self._synth:
            raise InputError(f"fluidsynth did not start: {chatter.last_errors()}")
        self._font = kept.lend(lib, self._synth, soundfont)
        if self._font is None:
            raise InputError(f"the soundfont {soundfont} cannot be loaded: {chatter.last_errors()}")
        lib.fluid_synth_set_interp_method(self._synth, -1, INTERPOLATION_ORDER)
        for index, part in enumerate(self._parts):
            kind = _CHANNEL_DRUM if part.is_drum else _CHANNEL_MELODIC
            lib.fluid_synth_set_channel_type(self._synth, index, kind)
            lib.fluid_synth_program_change(self._synth, index, part.start_program)
        self._buses = np.zeros((2 * groups, 0), np.float32)
        self._addresses = np.zeros(2 * groups, np.uintp)

    def close(self) -> None:
        if self._synth:
            if self._font:
                kept.take_back(self._lib, self._synth, self._font)
            self._lib.delete_fluid_synth(self._synth)
        if self._settings:
            self._lib.delete_fluid_settings(self._settings)
        self._settings = self._synth = self._font = None
        self._quiet.end()

    def perform(self, action: Action) -> None:
        """Do one thing, now."""
        lib, synth = self._lib, self._synth
        _, part, kind, a, b = action
        if kind == smf.NOTE_ON:
            lib.fluid_synth_noteon(synth, part, a, b)
        elif kind == smf.NOTE_OFF:
            lib.fluid_synth_noteoff(synth, part, a)
        elif kind == smf.CONTROL:
            lib.fluid_synth_cc(synth, part, a, b)
        elif kind == smf.BEND:
            lib.fluid_synth_pitch_bend(synth, part, a | b << 7)
        elif kind == smf.PROGRAM:
            lib.fluid_synth_program_change(synth, part, a)
        elif kind == smf.PRESSURE:
            lib.fluid_synth_channel_pressure(synth, part, a)
        elif kind == smf.POLY_PRESSURE:
            lib.fluid_synth_key_pressure(synth, part, a, b)
        elif kind == RESET:
            self._reset(part)
        else:
            # Universal master volume has the square law of General MIDI's CC 7: 40 log10(v / 127) dB.
            lib.fluid_synth_set_gain(synth, SYNTH_SETTINGS["synth.gain"] * (a / 127) ** 2)

    def _reset(self, part: int) -> None:
        """A GM, GS or XG reset: controllers to rest, first bank, the part's own first program."""
        for control, value in ((120, 0), (121, 0), (7, 100), (10, 64), (11, 127)):
            self._lib.fluid_synth_cc(self._synth, part, control, value)
        if not self._parts[part].is_drum:
            self._lib.fluid_synth_bank_select(self._synth, part, 0)
        self._lib.fluid_synth_program_change(self._synth, part, self._parts[part].start_program)

    def release_everything(self) -> None:
        """All keys and pedals up: what still sounds rings out by itself."""
        for part in range(len(self._parts)):
            for pedal in (64, 66):
                self._lib.fluid_synth_cc(self._synth, part, pedal, 0)
            self._lib.fluid_synth_all_notes_off(self._synth, part)

    @property
    def voices(self) -> int:
        """How many voices still sound."""
        return self._lib.fluid_synth_get_active_voice_count(self._synth)

    def attach(self, buses: np.ndarray) -> None:
        """Where to write: (2 * parts, frames) float32, left and right of each part in turn."""
        self._buses = buses
        row_bytes = buses.strides[0]
        self._rows = buses.ctypes.data + row_bytes * np.arange(buses.shape[0], dtype=np.uintp)
        self._address_pointer = self._addresses.ctypes.data

    def run(self, start: int, frames: int) -> None:
        """Sound the next `frames` and *add* them to the attached buses from column `start` on."""
        np.add(self._rows, np.uintp(start * self._buses.itemsize), out=self._addresses)
        count = len(self._addresses)
        if self._lib.fluid_synth_process(self._synth, frames, 0, None, count, self._address_pointer):
            raise InputError("fluidsynth failed while rendering")
