"""From a MIDI file and a feeling to a finished master.

    import daiw_master as dm
    result = dm.render("song.mid", emotion="grief")
    result.write("song.wav")

Names load on first use, so that `import daiw_master` and the command line's help stay instant.
"""

from __future__ import annotations

from importlib import import_module

_HOME = {
    "render": "daiw_master.pipeline",
    "master": "daiw_master.pipeline",
    "measure": "daiw_master.pipeline",
    "process": "daiw_master.processing",
    "Result": "daiw_master.pipeline",
    "Options": "daiw_master.pipeline",
    "embed_style": "daiw_master.neural.style",
    "Audio": "daiw_master.audio",
    "Stack": "daiw_master.stack",
    "Live": "daiw_master.live",
    "Effect": "daiw_master.stack",
    "EFFECTS": "daiw_master.stack",
    "Param": "daiw_master.params",
    "Targets": "daiw_master.targets",
    "FIELDS": "daiw_master.targets",
    "parse_emotion": "daiw_master.intent",
    "read_intent": "daiw_master.intent.shapes",
    "explain": "daiw_master.brief",
    "DaiwMasterError": "daiw_master.errors",
}

__all__ = sorted(_HOME)


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module 'daiw_master' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
