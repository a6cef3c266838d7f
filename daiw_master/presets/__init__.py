"""Presets: a plan as a page of physical values with its reasons, to read, to edit and to master with."""

from __future__ import annotations

from daiw_master.presets.known import known_presets, read_preset
from daiw_master.presets.model import KINDS, Preset, PresetInfo
from daiw_master.presets.read import read_preset_file, read_preset_text
from daiw_master.presets.summary import summary
from daiw_master.presets.write import author

__all__ = [
    "KINDS",
    "Preset",
    "PresetInfo",
    "author",
    "known_presets",
    "read_preset",
    "read_preset_file",
    "read_preset_text",
    "summary",
]
