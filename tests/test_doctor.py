"""What the doctor says about a healthy machine, and about each part that is missing."""

from __future__ import annotations

import subprocess
import sys

from daiw_master import doctor
from daiw_master.errors import MissingDependencyError
from daiw_master.midi import soundfont, synth


def test_five_checks_in_order_and_advice_where_something_fails():
    found = list(doctor.checks())
    assert [check.name for check in found] == ["library", "soundfont", "torch", "device", "plugins"]
    for check in found:
        assert check.found and "\n" not in check.found + check.advice
        assert check.ok or check.advice


def test_library_and_soundfont_answer_without_torch():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from daiw_master.doctor import checks\n"
        "print([check.name for check in checks() if not check.ok])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert "torch" in done.stdout and "device" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_missing_library_names_the_packages(monkeypatch):
    def missing():
        raise MissingDependencyError(synth.INSTALL_HINT)

    monkeypatch.setattr(synth, "library", missing)
    check = next(doctor.checks())
    assert not check.ok and check.found == "libfluidsynth is missing"
    assert "apt install libfluidsynth3" in check.advice


def test_a_small_soundfont_is_fine_but_a_better_one_is_named(monkeypatch):
    monkeypatch.delenv(soundfont.ENVIRONMENT, raising=False)
    monkeypatch.setattr(soundfont, "FOLDERS", ())
    check = list(doctor.checks())[1]
    assert check.ok and "bundled" in check.found and "fluid-soundfont-gm" in check.advice


def test_plugins_are_listed_by_name(monkeypatch, tmp_path):
    for i in range(8):
        (tmp_path / f"Plug{i}.vst3").mkdir()
    monkeypatch.setattr(doctor, "VST3_FOLDERS", (str(tmp_path), "~nobody-at-all/vst3"))
    check = list(doctor.checks())[-1]
    assert check.ok and "8 VST3" in check.found and "2 more" in check.found
    monkeypatch.setattr(doctor, "VST3_FOLDERS", ())
    assert "no VST3" in list(doctor.checks())[-1].found
