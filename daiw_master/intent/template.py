"""An empty intent sheet that asks before it is filled in: `daiw-master intent new`.

The questions live in presets/interrogation.yaml. A sheet is YAML with the question above every key;
DAiW reads JSON, so a sheet can be written as that too, without the questions.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping

import yaml

from daiw_master.data import load_yaml
from daiw_master.intent.check import questions

_WIDTH = 100
_HEAD = """\
An intent: what the song is about, before anybody asks how it should sound.
Answer what you can and leave the rest empty; a master can be made of any of it, or none.
`daiw-master intent check FILE` reads it back to you, `daiw-master intent explain FILE` shows what
each word will do to the sound."""
_MASTERING = """\
What you want of the master itself. Everything here is optional; remove the # of what you need.
DAiW forgets this part when it saves the file; to keep it safe, put the keys of this part into a
file of its own beside this one, called NAME.mastering.yaml."""
#: Example settings, commented out; each is read back by a test.
_SETTINGS = """\
platform: spotify            # or apple, youtube, tidal, amazon, cd, club, r128
lufs: -14                    # integrated loudness, if no platform should decide it
ceiling: -1                  # true peak, dBTP
strength: 0.8                # how much of the feeling, 0 to 1
targets: {band_air_db: -6}   # any target of `daiw-master list targets`
settings: {eq.tilt_db: -0.5} # any knob of the chain
rules: [PRODUCTION_RoomNoise]
without: [exciter]
output: {format: wav, bit_depth: 24, rate: 48000}
sections: [{name: Verse, bars: 16, energy: 0.3}, {name: Chorus, bars: 8, energy: 0.9}]"""


def sheet_text(answers: Mapping[str, object] | None = None) -> str:
    """The sheet as YAML with its questions. `answers` by dotted field; the rest stays empty."""
    answers = answers or {}
    sections = load_yaml("presets", "interrogation")["sections"]
    lines = [*_comment(_HEAD), ""]
    open_section = ""
    for field, row in questions().items():
        section, _, key = field.rpartition(".")
        if section != open_section:
            lines += ["", f"# {sections[section]}", f"{section}:"]
            open_section = section
        indent = "  " if section else ""
        lines += _comment(f"{row['asks']} {row['hint']}", indent)
        lines.append(f"{indent}{key}: {_written(answers.get(field, row.get('default', '')))}")
    lines += ["", *_comment(_MASTERING), "# mastering:"]
    lines += [f"#   {line}" for line in _SETTINGS.splitlines()]
    return "\n".join(lines) + "\n"


def sheet_json(answers: Mapping[str, object] | None = None) -> str:
    """The sheet as DAiW saves it: JSON, no questions."""
    answers = answers or {}
    sheet: dict = {}
    for field, row in questions().items():
        section, _, key = field.rpartition(".")
        place = sheet.setdefault(section, {}) if section else sheet
        place[key] = answers.get(field, row.get("default", ""))
    return json.dumps(sheet, indent=2) + "\n"


def example_answers() -> dict[str, object]:
    """A filled sheet: somebody else's song, to see how plainly one may answer."""
    return {field: row["example"] for field, row in questions().items()}


def _comment(text: str, indent: str = "") -> list[str]:
    lines = [piece for line in text.splitlines() for piece in textwrap.wrap(line, _WIDTH - len(indent) - 2)]
    return [f"{indent}# {line}" for line in lines]


def _written(value: object) -> str:
    """A value on one line of YAML, quoted where it must be."""
    if value in ("", None):
        return '""'
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return yaml.safe_dump(value, default_flow_style=True, allow_unicode=True).splitlines()[0]
