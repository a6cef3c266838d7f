"""What plugins said about themselves is kept: read again, asked again after any change, never in the way."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from daiw_master.stack import plugin as plugin_module
from daiw_master.stack import plugin_cache
from daiw_master.stack.plugin import effect_from_vst3

REPORT = {
    "name": "Thing", "channels": 2, "forgets": True,
    "knobs": [{"name": "gain_db", "kind": "number", "low": -12.0, "high": 12.0, "default": 0.0, "step": None,
               "unit": "dB"}],
}  # fmt: skip


@pytest.fixture
def thing(tmp_path, monkeypatch):
    """A plugin file that answers when asked, and the list of when it was."""
    asked = []
    monkeypatch.setenv("DAIW_MASTER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(plugin_module, "_ask", lambda key: asked.append(key) or REPORT)
    place = tmp_path / "Thing.vst3"
    place.write_text("plugin")
    return place, asked


def started_anew(monkeypatch):
    monkeypatch.setattr(plugin_module, "_DISCOVERED", {})


def notes() -> list[Path]:
    return list(plugin_cache.cache_folder().rglob("*.*"))


def test_the_next_run_asks_nobody(thing, monkeypatch):
    place, asked = thing
    first = effect_from_vst3(place)
    started_anew(monkeypatch)
    again = effect_from_vst3(place)
    assert len(asked) == 1 and again.params == first.params and again.name == "thing"
    assert [note.suffix for note in notes()] == [".json"]


@pytest.mark.parametrize("change", ["size", "time", "pedalboard", "way of asking", "plugin in it"])
def test_whatever_changes_it_is_asked_again(thing, monkeypatch, change):
    place, asked = thing
    effect_from_vst3(place)
    stat, name = place.stat(), None
    if change == "size":
        place.write_text("another plugin")
        os.utime(place, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    elif change == "time":
        os.utime(place, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1_000_000))
    elif change == "pedalboard":
        monkeypatch.setattr(plugin_cache.importlib.metadata, "version", lambda package: "99")
    elif change == "way of asking":
        monkeypatch.setattr(plugin_cache, "_asked_by", lambda: "otherwise")
    else:
        name = "Other Thing"
    started_anew(monkeypatch)
    effect_from_vst3(place, name)
    assert len(asked) == 2


@pytest.mark.parametrize("broken", ["", "{", "[]", '{"of": {}, "says": {}}', "says", "knob", b"\xff\xfe\x00"])
def test_a_broken_note_is_written_anew(thing, monkeypatch, broken):
    place, asked = thing
    params = effect_from_vst3(place).params
    (note,) = notes()
    if broken in ("says", "knob"):
        kept = json.loads(note.read_text())
        kept["says"] = {"name": "Thing"} if broken == "says" else {**REPORT, "knobs": [{"name": "x"}]}
        broken = json.dumps(kept)
    note.write_bytes(broken if isinstance(broken, bytes) else broken.encode())
    for _ in range(2):
        started_anew(monkeypatch)
        assert effect_from_vst3(place).params == params
    assert len(asked) == 2


def test_where_nothing_can_be_written_nothing_is_kept(thing, monkeypatch, tmp_path):
    place, asked = thing
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DAIW_MASTER_CACHE", str(tmp_path / "file" / "below"))
    for _ in range(2):
        started_anew(monkeypatch)
        assert effect_from_vst3(place).name == "thing"
    assert len(asked) == 2


def test_a_disk_that_is_full_leaves_nothing_half_written(thing, monkeypatch):
    place, _ = thing

    def full(*given):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(plugin_cache.os, "replace", full)
    assert effect_from_vst3(place).name == "thing" and not notes()


def test_where_notes_are_kept(monkeypatch):
    monkeypatch.setenv("DAIW_MASTER_CACHE", "own")
    monkeypatch.setenv("XDG_CACHE_HOME", "xdg")
    assert plugin_cache.cache_folder() == Path("own")
    monkeypatch.delenv("DAIW_MASTER_CACHE")
    assert plugin_cache.cache_folder() == Path("xdg/daiw-master")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert plugin_cache.cache_folder().is_absolute() and "daiw-master" in plugin_cache.cache_folder().parts
