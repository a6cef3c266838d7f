"""Density: how much is played when, and the sections that shows."""

from __future__ import annotations

from dataclasses import dataclass, field

import mido
import numpy as np
import pytest

from daiw_master.midi.density import MOST_SECTIONS, SHORTEST_S, best_cuts, density_of
from daiw_master.midi.roles import Note
from daiw_master.midi.timeline import sections

BAR_S = 2.0


@dataclass
class Player:
    notes: list[Note] = field(default_factory=list)
    is_drum: bool = False

    def plays(self, start_s, end_s, per_s, velocity=80, key=60, held_s=None):
        """Steady notes from start to end."""
        gap = 1 / per_s
        times = np.arange(start_s, end_s - 1e-9, gap)
        self.notes += [Note(key, velocity, float(t), float(t) + (held_s or 0.9 * gap)) for t in times]
        return self


def starts_of(density):
    return [section.start_s for section in density.sections]


def test_density_is_onsets_a_second_times_velocity():
    density = density_of([Player().plays(0, 40, 4, velocity=127)], 40.0, BAR_S)
    middle = density.values[len(density.values) // 4 : -len(density.values) // 4]
    assert middle == pytest.approx(4.0, abs=0.1)
    softer = density_of([Player().plays(0, 40, 4, velocity=64)], 40.0, BAR_S)
    assert softer.values.mean() == pytest.approx(density.values.mean() * 64 / 127, rel=1e-6)
    assert len(density.values) == 40.0 / density.hop_s


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p.plays(0, 24, 1).plays(24, 48, 4).plays(48, 72, 1),
        lambda p: p.plays(0, 24, 2, velocity=35).plays(24, 48, 2, velocity=120).plays(48, 72, 2, velocity=35),
        lambda p: p.plays(0, 24, 2, key=48).plays(24, 48, 2, key=72).plays(48, 72, 2, key=48),
    ],
    ids=["more notes", "harder", "higher"],
)
def test_a_song_is_cut_where_the_playing_changes(change):
    density = density_of([change(Player())], 74.0, BAR_S)
    assert starts_of(density) == pytest.approx([0.0, 24.0, 48.0], abs=BAR_S)
    assert [section.name for section in density.sections] == ["A", "B", "C"]
    assert density.sections[-1].end_s == 74.0
    assert all(a.end_s == b.start_s for a, b in zip(density.sections, density.sections[1:], strict=False))


def test_drums_that_come_in_are_a_new_section():
    keys = Player().plays(0, 60, 2)
    drums = Player(is_drum=True).plays(30, 60, 2)
    assert starts_of(density_of([keys, drums], 61.0, BAR_S)) == pytest.approx([0.0, 30.0], abs=BAR_S)


@pytest.mark.parametrize("gap_s", [0.5, 2.0, 4.0])
def test_the_same_thing_all_along_is_one_section(gap_s):
    """A chord every other bar is a pattern, no form; how the last one dies away is none either."""
    steady = Player().plays(0, 60, 1 / gap_s)
    assert starts_of(density_of([steady], 70.0, BAR_S)) == [0.0]


def test_a_cut_falls_on_a_note():
    song = Player().plays(0.0, 25.3, 1).plays(25.3, 60, 6)
    (_, cut) = starts_of(density_of([song], 61.0, BAR_S))
    assert min(abs(cut - note.start_s) for note in song.notes) < 1e-9


def test_never_more_than_eight_nor_shorter_than_a_phrase():
    song = Player()
    for i in range(30):
        song.plays(8 * i, 8 * i + 8, 1 if i % 2 else 8)
    density = density_of([song], 241.0, BAR_S)
    assert 2 <= len(density.sections) <= MOST_SECTIONS
    assert min(s.end_s - s.start_s for s in density.sections) >= SHORTEST_S - BAR_S


@pytest.mark.parametrize("end_s", [0.3, 5.0, 1.0])
def test_one_note_has_a_density_too(end_s):
    density = density_of([Player([Note(60, 100, 0.0, 0.2)])], end_s, BAR_S)
    assert np.isfinite(density.values).all() and density.values.sum() > 0
    assert starts_of(density) == [0.0]


def test_the_cuts_are_the_best_there_are():
    """Dynamic programming against trying everything."""
    generator = np.random.default_rng(3)
    for _ in range(10):
        features = generator.normal(size=(12, 2)).cumsum(0)

        def cost(edges, features=features):
            pieces = [features[a:b] for a, b in zip(edges, edges[1:], strict=False)]
            inside = sum(((piece - piece.mean(0)) ** 2).sum() for piece in pieces)
            return inside + 2.0 * (len(pieces) - 1)

        def every(start, features=features):
            yield (start, 12)
            for cut in range(start + 3, 12 - 2):
                for rest in every(cut):
                    yield (start, *rest)

        found = best_cuts(features, 3, 2.0)
        assert cost((0, *found, 12)) == pytest.approx(min(cost(edges) for edges in every(0)))


def test_a_marked_band_song_is_cut_near_its_markers(data):
    """Freedoom's dm27 names its sections itself; what is found must be mostly those."""
    from daiw_master.midi.parts import arrange
    from daiw_master.midi.smf import read_midi_file

    paths = sorted((data / "midi").rglob("freedoom_band_dm27.mid"))
    if not paths:
        pytest.skip("dm27 is not among the sample songs")
    song = arrange(read_midi_file(paths[0]), 1000.0)
    marked = [section.start_s for section in sections(song.markers, song.release_s)]
    bar_s = 60 / song.tempo_bpm * 4
    found = starts_of(density_of(song.parts, song.release_s, bar_s))
    near = [cut for cut in found if min(abs(cut - mark) for mark in marked) <= 2 * bar_s]
    assert len(near) >= 6


def test_a_rendered_song_knows_its_density(write_song, font):
    from daiw_master.midi import render_midi

    def note(tick, kind, key):
        return (tick, mido.Message(kind, note=key, velocity=90))

    track = []
    for beat in range(64):
        for step in range(1 if beat < 32 else 4):
            tick = 480 * beat + 120 * step
            track += [note(tick, "note_on", 60 + step), note(tick + 100, "note_off", 60 + step)]
    rendered = render_midi(write_song([track]), soundfont=font)
    assert len(rendered.density.values) == int(np.ceil(rendered.duration_s / rendered.density.hop_s))
    assert starts_of(rendered.density) == pytest.approx([0.0, 16.0], abs=2.0)
