"""Ask a VST3 plugin what it is, in a process of its own: one that crashes takes only this with it.

Run by path (`python plugin_probe.py FILE [PLUGIN_NAME]`), prints one line of JSON. Knows nothing of the rest
of the package, so that it starts in a third of a second.
"""

from __future__ import annotations

import json
import math
import os
import sys


def describe(path: str, plugin_name: str | None) -> dict:
    """What the plugin calls itself, how many channels it takes, and its knobs as it reports them."""
    import numpy as np
    from plugin_host import Unloadable, load

    try:
        plugin = load(path, plugin_name)
    except Unloadable as why:
        return {"error": str(why)}
    if plugin.is_instrument:
        return {"error": f"{plugin.name} is an instrument, not an effect"}
    channels = None
    for count in (2, 1):
        try:
            plugin(np.zeros((count, 4096), np.float32), 44100, reset=True)
            channels = count
            break
        except (ValueError, RuntimeError) as error:
            refusal = " ".join(str(error).split())
    if channels is None:
        return {"error": refusal}
    reported = [_knob(plugin, name, parameter) for name, parameter in plugin.parameters.items()]
    knobs = [knob for knob in reported if knob]
    return {
        "name": plugin.name,
        "channels": channels,
        "knobs": knobs,
        "forgets": _forgets(plugin, channels, knobs),
    }


def _forgets(plugin, channels: int, knobs: list[dict]) -> bool:
    """Whether the plugin, after other settings and another sound, does again what it did at first.

    Some do not (ZamTube ignores a tone control that returns to its first position); they must be
    loaded anew for every sound.
    """
    import numpy as np

    wave = np.random.default_rng(0).normal(0, 0.1, (channels, 22050)).astype(np.float32)

    def play(turned: bool) -> np.ndarray:
        for knob in knobs:
            setattr(plugin, knob["name"], _position(knob, turned))
        return plugin(wave, 44100, reset=True)

    try:
        first = play(False)
        play(True)
        again = play(False)
    except (ValueError, RuntimeError):
        return False
    return bool(np.abs(again - first).max() <= 1e-6 * np.abs(first).max())


def _position(knob: dict, turned: bool) -> float | bool | str:
    """A knob's default, or a place well away from it."""
    default = knob["default"]
    if knob["kind"] == "switch":
        return bool(default) != turned
    if knob["kind"] == "choice":
        return knob["choices"][(int(default) + turned) % len(knob["choices"])]
    if not turned:
        return default
    return knob["high"] if default - knob["low"] < knob["high"] - default else knob["low"]


def _knob(plugin, name: str, parameter) -> dict | None:
    """One parameter, or None for what is no knob: meters and host bookkeeping (not automatable),
    bypass (we leave the effect out of the list instead), program switches (they move other knobs)."""
    from plugin_host import PROGRAMS

    if not parameter.is_automatable or name == "bypass":
        return None
    if parameter.type is bool:
        return {"name": name, "kind": "switch", "default": float(getattr(plugin, name))}
    if parameter.type is str:
        choices = [str(choice) for choice in parameter.valid_values]
        if len(choices) < 2 or any(word in name for word in PROGRAMS):
            return None
        default = str(getattr(plugin, name))
        return {
            "name": name, "kind": "choice", "choices": choices,
            "default": choices.index(default) if default in choices else 0,
        }  # fmt: skip
    low, high, default = parameter.min_value, parameter.max_value, float(getattr(plugin, name))
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high) and low < high):
        return None
    return {
        "name": name, "kind": "number", "low": float(low), "high": float(high),
        "default": min(max(default, low), high), "step": parameter.step_size,
        "unit": (parameter.units or "").strip(),
    }  # fmt: skip


if __name__ == "__main__":
    # Last, not first: nothing in this folder may stand in for a library of the same name.
    sys.path.append(sys.path.pop(0))
    answer = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)  # plugins talk while they load
    found = describe(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)
    os.write(answer, json.dumps(found).encode())
    os._exit(0)  # some plugins crash while they are torn down; by now we know all we asked
