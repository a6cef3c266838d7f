"""Sound like this: a master searched toward a reference or its feeling's own style, or left as it was."""

from __future__ import annotations

import json
import os
import signal
import sys
from types import SimpleNamespace

import pytest

import daiw_master as dm
from daiw_master import likeness
from daiw_master.audio import Audio
from daiw_master.brief import briefs_of
from daiw_master.cli.stopping import Stopped, finished_early
from daiw_master.errors import InputError
from daiw_master.files import write_audio
from daiw_master.likeness import wanted_of, with_reference
from daiw_master.neural import bank as banks
from daiw_master.neural.bank import Bank
from daiw_master.neural.style import read_style, style_of, write_style
from daiw_master.options import Options
from daiw_master.sounds import Held
from daiw_master.stack import effect_named
from daiw_master.stack.chain import chain_space, qualified, run_chain
from tests import signals
from tests.test_cli import refused, run

RATE = 44100
#: A chain and a search that take a second; three seconds of music.
QUICK = {"chain": ["eq", "imager"], "generations": 1, "candidates": 8, "lufs": -20.0}


def audio(seed: int = 1, **settings: float) -> Audio:
    """Some music, treated."""
    x = 0.3 * signals.music(3.0, seed=seed)
    if settings:
        placed = qualified([effect_named("eq"), effect_named("imager")])
        x = run_chain(placed, x, RATE, {**chain_space(placed).defaults(), **settings})
    return Audio(x[0].float(), RATE)


@pytest.fixture(scope="module")
def dull(tmp_path_factory):
    """Other music, much darker than ours, as a file."""
    treated = audio(2, **{"eq.tilt_db": -6.0, "eq.high_shelf_gain_db": -6.0})
    return write_audio(treated, tmp_path_factory.mktemp("reference") / "dull.wav", bit_depth="32f")


@pytest.fixture(scope="module")
def followed(dull):
    return dm.master(audio(), reference=dull, **QUICK)


def test_a_master_comes_nearer_to_its_reference(followed, dull):
    style = followed.report.style
    assert style.kept and style.after > style.before
    assert style.toward == "dull.wav" and style.sources == ["dull.wav"] and style.candidates >= 8
    wanted = dm.embed_style(dull)
    assert float(dm.embed_style(followed.audio) @ wanted) == pytest.approx(style.after, abs=5e-3)


def test_the_report_says_what_moved_and_what_differed(followed):
    style = followed.report.style
    assert style.moves and all(move.why and move.before != move.after for move in style.moves)
    assert {move.setting.partition(".")[0] for move in style.moves} <= {"eq", "imager"}
    top = next(row for row in style.differences if row.target in ("band_presence_db", "band_brilliance_db"))
    assert top.wanted < top.before and top.after < top.before
    line = next(line for line in followed.summary() if line.startswith("style"))
    assert f"{style.before:.2f} to {style.after:.2f} like dull.wav" in line


def test_what_nobody_asked_for_may_follow_and_delivery_and_limits_hold(followed):
    assert followed.report.row("loudness_lufs").verdict == "met"
    assert followed.report.row("true_peak_dbtp").verdict == "met"
    assert all(guard.holds for guard in followed.report.guards)
    assert not [row.target for row in followed.report.targets if row.verdict in ("missed", "drifted")]


def test_with_a_feeling_and_a_set_knob_both_are_kept(dull, tmp_path):
    """And several references, sounds and styles, named in an intent too, are one."""
    style = write_style(style_of(dull), tmp_path / "dull.style")
    asked = {"reference": [style, str(dull)], "settings": ["eq.tilt_db=1.5"]}
    result = dm.master(audio(), "hope", **asked, **QUICK)
    assert result.report.style.toward == "dull.wav and 1 more"
    assert result.report.style.after >= result.report.style.before
    assert {row.setting: row.value for row in result.report.settings}["eq.tilt_db"] == 1.5
    assert any(row.shift > 1 and "reference" not in row.why for row in result.report.targets)


# --- the feeling's own style


@pytest.fixture
def bank(dull, monkeypatch) -> Bank:
    """Grief goes from our music's sound toward the dull one, hope nowhere."""
    here, there = style_of(audio(2)), style_of(dull)
    found = Bank(here, {"grief": there, "hope": here}, {})
    monkeypatch.setattr(banks, "emotion_bank", lambda: found)
    return found


def test_refine_alone_goes_toward_the_feelings_own_style(bank):
    result = dm.master(audio(), "grief", refine=True, **QUICK)
    style = result.report.style
    assert style.toward == "grief in the emotion bank" and style.after >= style.before
    assert style.candidates >= 8 and not [row.target for row in result.report.missed]


class Desk:
    """A bench with nothing behind its takes but their sound."""

    def rung_out(self, sound):
        return sound


def wanted(feeling: str | None, **options):
    sound = Held(audio(3).samples, RATE)
    asked = Options(**options)
    (brief,), asked = briefs_of([feeling] if feeling else [], asked)
    return wanted_of(brief, with_reference(asked), Desk(), SimpleNamespace(sound=sound))


def test_a_blend_a_strength_and_a_little_go_part_of_the_way(bank):
    whole = wanted("grief", refine=True)
    assert whole.name == "grief in the emotion bank" and whole.heard["band_air_db"] < -1
    half = wanted("grief", refine=True, strength="0.5")
    blend = wanted("grief:0.5,hope:0.5", refine=True)
    here = dm.embed_style(Held(audio(3).samples, RATE))
    way = bank.step({"grief": 1.0})
    far, between, near = (float((found.embedding - here) @ way) for found in (whole, blend, half))
    assert far > between > 0 < near < far


@pytest.mark.parametrize(("lost", "kept"), [(set(), "found from solved"), ({"width"}, "found from refined")])
def test_where_gradients_led_away_the_search_begins_again_at_what_was_solved(monkeypatch, lost, kept):
    """Unless that would miss a target which the gradients had met."""
    asks = {"width": SimpleNamespace(claimed=True, error=lambda heard: heard)}

    def master(name: str, likeness: float, width: float = 0.0) -> SimpleNamespace:
        take = SimpleNamespace(sound=likeness, heard={"width": width})
        return SimpleNamespace(name=name, take=take, asks=asks)

    found = {
        "refined": master("found from refined", 0.6),
        "solved": master("found from solved", 0.8, width=2.0 if lost else 0.0),
    }
    begun = []

    def brought_nearer(bench, made, neutral, wanted, options):
        begun.append((made.name, wanted.embedding))
        return found[made.name], SimpleNamespace(interrupted=False)

    monkeypatch.setattr(likeness, "brought_nearer", brought_nearer)
    monkeypatch.setattr(likeness, "wanted_of", lambda *_: likeness.Wanted("grief", "goal", {}, (), "vector"))
    monkeypatch.setattr(likeness, "_likeness", lambda bench, made, style: made.take.sound)
    refined, solved = master("refined", 0.5), master("solved", 0.7)
    nearer, _, remarks = likeness.sounding_as_wanted(None, refined, None, None, None, solved)
    assert begun == [("refined", "goal"), ("solved", "vector")] and nearer.name == kept and not remarks
    # where the first search finds past what was solved, it is the only one
    begun.clear()
    nearer, _, _ = likeness.sounding_as_wanted(None, refined, None, None, None, master("solved", 0.55))
    assert begun == [("refined", "goal")] and nearer.name == "found from refined"


def test_without_a_feeling_or_without_refine_there_is_no_style_to_go_to(bank):
    assert wanted(None, refine=True) is None
    assert wanted("grief") is None
    assert wanted("grief", refine=True, strength="0") is None


def test_a_reference_is_louder_than_the_bank_and_an_intent_may_name_it(bank, dull):
    assert wanted("hope", refine=True, reference=dull).name == "dull.wav"
    assert wanted(None, intent={"title": "x", "mastering": {"reference": str(dull)}}).name == "dull.wav"


# --- on the command line


@pytest.fixture
def take(tmp_path):
    return write_audio(audio(), tmp_path / "take.wav")


def test_a_midi_song_follows_a_reference_into_report_and_page(tiny_song, dull, tmp_path):
    out = tmp_path / "song.wav"
    done = run("render", tiny_song, "--reference", dull, "--generations", 1, "--chain", "eq", "-o", out)
    assert done.exit_code == 0 and out.is_file() and "like dull.wav" in done.stdout
    report = json.loads((tmp_path / "song.report.json").read_text())
    assert report["style"]["after"] > report["style"]["before"]
    assert "Sounds like dull.wav" in (tmp_path / "song.report.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--reference", "none.wav"), "none.wav"),
        (("--reference", "{}/old.style"), "another encoder"),
        (("--reference", "{}/take.wav", "--bypass"), "bypass"),
        (("--reference", "{}/song.mid"), "is a MIDI file"),
    ],
)
def test_a_reference_that_cannot_be_followed_is_refused_before_any_work(take, tmp_path, arguments, said):
    (tmp_path / "song.mid").write_bytes(b"MThd")
    old = write_style(style_of(take), tmp_path / "old.style")
    old.write_text(old.read_text().replace(read_style(old).encoder, "feedfeedfeed"))
    there = sorted(tmp_path.iterdir())
    assert said in refused("master", take, *(argument.format(tmp_path) for argument in arguments))
    assert sorted(tmp_path.iterdir()) == there


@pytest.mark.parametrize("given", [{"generations": 0}, {"candidates": 2}])
def test_a_search_of_nothing_is_refused(given):
    with pytest.raises(InputError, match="at least 1 of 4"):
        dm.Options(**given)


# --- Ctrl-C


@pytest.fixture
def keyboard():
    """Ctrl-C as a terminal gives it: a test run begun in the background would ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_keeps_the_best_so_far_and_writes_the_master(keyboard, take, dull, tmp_path, monkeypatch):
    """Struck in the middle of a search, after its first generation."""
    told = []

    def show(what, done):
        if "like dull.wav" in what:
            told.append(what)
            if len(told) == 2:
                os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(sys.modules["daiw_master.cli.run"], "progress_line", lambda: show)
    before = signal.getsignal(signal.SIGINT)
    done = run("master", take, "--reference", dull, "--chain", "eq,imager", "--generations", 200)
    assert done.exit_code == 0 and signal.getsignal(signal.SIGINT) is before
    report = json.loads((tmp_path / "take.master.report.json").read_text())
    assert report["style"]["interrupted"] and report["style"]["after"] >= report["style"]["before"]
    assert report["style"]["candidates"] < 200 * 32 / 2 and (tmp_path / "take.master.wav").is_file()


def test_a_second_ctrl_c_ends_the_program_even_where_the_search_swallows_it(keyboard):
    with pytest.raises(Stopped) as stopped:
        with finished_early() as stop:
            os.kill(os.getpid(), signal.SIGINT)
            assert stop()
            try:
                os.kill(os.getpid(), signal.SIGINT)
            except KeyboardInterrupt:
                pass
    assert stopped.value.exit_code == 130


def test_any_other_end_is_an_end_at_once():
    handled = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Stopped) as stopped:
        with finished_early() as stop:
            try:
                os.kill(os.getpid(), signal.SIGTERM)
            except KeyboardInterrupt:
                assert not stop()
    assert stopped.value.exit_code == 143 and signal.getsignal(signal.SIGTERM) == handled
