"""Whose energies a song follows: written ones, a named shape, its markers' names, its notes."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from daiw_master.errors import OutOfRangeError, UnknownNameError
from daiw_master.form import form_of


def spans(*named, end_s):
    """Sections from (start, name) pairs."""
    ends = [start for start, _ in named[1:]] + [end_s]
    return [
        SimpleNamespace(name=name, start_s=start, end_s=end)
        for (start, name), end in zip(named, ends, strict=True)
    ]


def density(values, hop_s=1.0, sections=()):
    return SimpleNamespace(values=values, hop_s=hop_s, sections=sections)


SONG = spans((0, "Intro"), (10, "Verse"), (40, "Chorus"), (70, "Outro"), end_s=90)
UNNAMED = spans((0, "I: The Loss"), (30, "II: The Memories"), (60, "Reflection"), end_s=90)


def energies_of(form):
    return [point.energy for point in form.points]


def test_nobody_asked_no_form():
    form = form_of(None, (), SONG, 90.0)
    assert form.points == () and not form.moves and form.notes == ()


def test_written_energies_stand_above_everything():
    written = [("a", 4, 0.2), ("b", 8, 0.9), ("c", 8, 0.4), ("d", 2, 0.6)]
    form = form_of("descent", written, SONG, 90.0, density([1.0] * 90))
    assert energies_of(form) == [0.2, 0.9, 0.4, 0.6]
    assert [p.name for p in form.points] == ["Intro", "Verse", "Chorus", "Outro"], "on the song's markers"
    assert "in order" in form.origin and form.notes == (f"form: {form.origin}",)


def test_written_energies_find_their_markers_by_name():
    written = [
        ("chorus", 8, 0.9),
        ("verse", 8, 0.3),
        ("intro", 4, 0.1),
        ("bridge", 4, 0.7),
        ("OUTRO", 4, 0.2),
    ]
    form = form_of("sections", written, SONG, 90.0)
    assert energies_of(form) == [0.1, 0.3, 0.9, 0.2]
    assert "by name" in form.origin


def test_the_second_verse_is_not_the_first():
    marked = spans((0, "Verse"), (20, "Chorus"), (40, "Verse"), (60, "Chorus"), (80, "Chorus"), end_s=100)
    written = [("Verse", 8, 0.3), ("Chorus", 8, 0.7), ("Verse", 8, 0.5), ("Chorus", 8, 1.0)]
    assert energies_of(form_of(None, written, marked, 100.0)) == [0.3, 0.7, 0.5, 1.0, 1.0]


@pytest.mark.parametrize("marked", [[], spans((0, "x"), (45, "y"), end_s=90)])
def test_written_bars_are_stretched_over_a_song_that_has_other_sections(marked):
    form = form_of("sections", [("intro", 4, 0.3), ("all", 12, 0.9), ("end", 2, 0.1)], marked, 90.0)
    assert [(p.start_s, p.end_s) for p in form.points] == [(0, 20), (20, 80), (80, 90)]
    assert [p.name for p in form.points] == ["intro", "all", "end"]
    assert "stretched" in form.origin
    assert ("markers name other sections" in form.origin) == bool(marked)


@pytest.mark.parametrize("bars", [None, 0, -4])
def test_a_section_of_no_length_gets_the_usual_one(bars):
    form = form_of(None, [("a", 10, 0.1), ("b", bars, 0.9), ("c", 10, 0.5)], [], 90.0)
    assert [p.start_s for p in form.points] == pytest.approx([0, 30, 60])


def test_a_named_shape_lies_on_the_markers():
    form = form_of("descent", (), SONG, 90.0, density([1.0] * 90))
    assert [p.start_s for p in form.points] == [0, 10, 40, 70]
    assert energies_of(form) == sorted(energies_of(form), reverse=True)
    assert "marked sections" in form.origin


def test_a_named_shape_without_markers_fills_the_song():
    form = form_of("slow_reveal", (), [], 120.0)
    assert energies_of(form) == [0.3, 0.5, 0.7, 0.4, 0.2]
    assert (form.points[0].start_s, form.points[-1].end_s) == (0.0, 120.0)
    assert form.points[1].start_s == pytest.approx(32.0), "16 of 60 bars"
    assert form.transition_s == 4.0


def test_markers_speak_by_their_names():
    form = form_of("sections", (), SONG, 90.0)
    assert energies_of(form) == [0.3, 0.5, 0.9, 0.4]
    assert "called" in form.origin


def test_markers_that_say_nothing_take_what_is_played():
    played = density([1.0] * 30 + [4.0] * 30 + [1.0] * 30)
    form = form_of("sections", (), UNNAMED, 90.0, played)
    low, high, again = energies_of(form)
    assert low == again and 0.15 <= low and high > low + 0.3
    assert "how much is played" in form.origin


def test_names_count_where_there_are_some():
    mixed = spans((0, "Opening - The Wound"), (30, "Integration"), (60, "Closing"), end_s=90)
    form = form_of("sections", (), mixed, 90.0, density([1.0] * 30 + [4.0] * 30 + [1.0] * 30))
    assert energies_of(form)[::2] == [0.3, 0.4]
    assert energies_of(form)[1] > 0.9
    assert "names of 2" in form.origin


def test_without_markers_the_notes_tell_the_sections():
    found = spans((0, "A"), (45, "B"), end_s=90)
    form = form_of("sections", (), [], 90.0, density([1.0] * 45 + [3.0] * 45, sections=found))
    assert [p.name for p in form.points] == ["A", "B"]
    assert energies_of(form)[1] > energies_of(form)[0]
    assert "2 sections found" in form.origin


@pytest.mark.parametrize("ratio", [1.0, 1.005])
def test_sections_as_good_as_alike_are_alike(ratio):
    form = form_of("sections", (), UNNAMED, 90.0, density([1.0] * 45 + [ratio] * 45))
    assert not form.moves and "nothing moves" in form.notes[0]


def test_music_before_the_first_marker_is_a_section():
    late = spans((20, "Verse"), (40, "Chorus"), end_s=90)
    form = form_of("climb_to_climax", (), late, 90.0)
    assert [p.start_s for p in form.points] == [0, 20, 40]
    form = form_of(None, [("Verse", 8, 0.3), ("Chorus", 8, 0.8)], late, 90.0)
    assert energies_of(form) == [0.3, 0.3, 0.8], "an opening nobody wrote down goes with what follows"
    nearly = spans((2, "Verse"), (40, "Chorus"), end_s=90)
    assert [p.start_s for p in form_of("sections", (), nearly, 90.0).points] == [0, 40]


@pytest.mark.parametrize("name", ["sections", "descent", "steady"])
def test_a_short_song_has_no_form_and_says_so(name):
    form = form_of(name, (), SONG, 11.9)
    assert not form.points and "too short" in form.notes[0]


@pytest.mark.parametrize(
    ("name", "energies", "sections", "played"),
    [
        ("sections", (), [], None),
        ("sections", (), spans((0, "Verse"), end_s=90), density([1.0] * 90)),
        ("sections", (), [], density([1.0] * 90, sections=spans((0, "A"), end_s=90))),
        (None, [("all", 8, 0.7)], [], None),
        ("steady", (), SONG, None),
        ("steady", (), [], None),
    ],
)
def test_a_song_in_one_piece_stands_still_and_says_so(name, energies, sections, played):
    form = form_of(name, energies, sections, 90.0, played)
    assert not form.moves
    assert len(form.notes) == 1 and "nothing moves" in form.notes[0]


def test_what_is_no_energy_and_no_shape_is_refused():
    with pytest.raises(OutOfRangeError, match="Chorus.*1.2"):
        form_of(None, [("Verse", 8, 0.2), ("Chorus", 8, 1.2)], [], 90.0)
    with pytest.raises(UnknownNameError, match="descent"):
        form_of("decent", (), [], 90.0)


def test_a_form_covers_the_song_without_gaps():
    ragged = spans((0.5, "Intro"), (30, "Verse"), (200, "Never"), end_s=300)
    for name in ("sections", "spiral"):
        points = form_of(name, (), ragged, 90.0).points
        assert points[0].start_s == 0.0 and points[-1].end_s == 90.0
        assert all(a.end_s == b.start_s for a, b in zip(points, points[1:], strict=False))
