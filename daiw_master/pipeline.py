"""The story: words and a song in, a finished master and its reasons out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from daiw_master.audio import Audio
from daiw_master.brief import Brief, briefs_of, fitting
from daiw_master.errors import InputError
from daiw_master.files import (
    is_lossy,
    open_sound,
    resample,
    resampled,
    write_lossy_within,
    write_sound,
    write_text_atomic,
)
from daiw_master.likeness import sounding_as_wanted, with_reference
from daiw_master.material import Material
from daiw_master.meters import measure as measure_audio
from daiw_master.meters.true_peak import TruePeakWalk
from daiw_master.midi import Rendering, render_midi, render_midi_to
from daiw_master.options import Options, chain_of, check_device, split_settings
from daiw_master.parts import SEND_WEIGHTS
from daiw_master.plan import Plan
from daiw_master.refine.automation import with_form
from daiw_master.refine.bench import Bench
from daiw_master.refine.gradient import refine_by_gradient
from daiw_master.refine.master import Master, make_master, make_neutral
from daiw_master.refine.song import FADE_S
from daiw_master.report.build import Source, bypass_report, master_report
from daiw_master.report.curves import curve_of
from daiw_master.report.model import IntentLine, Report
from daiw_master.report.words import summary
from daiw_master.sounds import Sound, Store, faded_out, sound_of, told, whole

__all__ = [
    "Options", "Result", "chain_of", "check_device", "master", "master_many", "measure", "render",
    "render_many", "split_settings",
]  # fmt: skip

#: The longest room any plan may ask for decides how much silence is put behind the song.
LONGEST_TAIL_S = 4.5


@dataclass
class Result:
    """A finished master: the sound, its report, and the few lines that say what was done.

    `before` is the song as it came (the dry render), `plan` what was asked. A long song stays on
    disk until it is written; `audio` brings all of it into memory.
    """

    sound: Sound
    report: Report
    stems: tuple[tuple[str, Audio], ...] = ()
    before: Sound | None = None
    plan: Plan | None = None
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def audio(self) -> Audio:
        """The master in memory."""
        return Audio(whole(self.sound)[0], self.sound.rate, self.tags)

    def write(self, path: str | Path, *, bit_depth: int | str = 24, report: bool = True) -> Path:
        """Write the master (whole or not at all) and `NAME.report.json` beside it."""
        path = Path(path)
        if is_lossy(path) and not self.bypassed:
            ceiling = self.report.row("true_peak_dbtp").asked
            done = write_lossy_within(self.sound, path, ceiling, _true_peak, tags=self.tags)
            self.report.notes.append(
                f"decoded again, {path.name} peaks at {done.true_peak_dbtp:.2f} dBTP"
                + (f" after a trim of {done.trim_db:.2f} dB" if done.trim_db else "")
            )
        else:
            write_sound(self.sound, path, bit_depth=bit_depth, seed=self.report.seed, tags=self.tags)
        if report:
            write_text_atomic(path.with_suffix(".report.json"), self.report.model_dump_json(indent=2) + "\n")
        return path

    def picture(self, path: str | Path) -> Path:
        """Draw the song before and after, asked against got, as a PNG; refused for a bypass."""
        from daiw_master.report.picture import draw

        return draw(self.report, path)

    def html(self, path: str | Path, *, master_file: str | None = None) -> Path:
        """Write the report people look at: one page, with a player for before and after."""
        from daiw_master.report.html import html_report

        if self.bypassed or self.before is None:
            raise InputError("the page compares before and after; a bypassed song has no after")
        page = html_report(self.report, self.before, self.sound, master_file=master_file or "")
        write_text_atomic(Path(path), page)
        return Path(path)

    @property
    def bypassed(self) -> bool:
        return self.report.chain == []

    def summary(self) -> list[str]:
        """About six lines in an engineer's words."""
        return summary(self.report)


def render(
    midi: str | Path, emotion: str | None = None, *, intent: object | None = None, **options
) -> Result:
    """Turn a MIDI file into a finished master that carries a feeling, or a whole intent.

    `intent` is an intent file ("FILE" or "FILE:NAME"), a dict, or one of DAiW's own objects; with it,
    `emotion` takes the place of its mood. `options` are the fields of `Options`: rules, presets,
    strength, platform, lufs, ceiling, settings (`["eq.tilt_db=1"]`), chain, rate, soundfont, seed, ...
    Raises `DaiwMasterError` with one clear line.
    """
    return render_many(midi, _asked(emotion), Options(intent=intent, **options))[0]


def master(
    source: str | Path | Audio, emotion: str | None = None, *, intent: object | None = None, **options
) -> Result:
    """Master a finished recording (a file, or `Audio`) so that it carries a feeling or an intent."""
    return master_many(source, _asked(emotion), Options(intent=intent, **options))[0]


def measure(source: str | Path | Audio):
    """Hear a file in the words of the targets: loudness, true peak, bands, widths, crest, range."""
    return measure_audio(source if isinstance(source, Audio) else open_sound(source))


def render_many(
    midi: str | Path, emotions: Iterable[str], options: Options, begun: Rendering | None = None
) -> list[Result]:
    """Several masters of one MIDI file; the song is rendered and finished neutrally once.

    `begun` is the rendering of this song with these options, where that was begun beforehand.
    """
    briefs, options = briefs_of(emotions, options)
    options = with_reference(options)
    plans = [fitting(brief.plan(options), options) for brief in briefs]
    single_parts = any(plan.parts for plan, _ in plans)

    def progress(done: float) -> None:
        options.progress("rendering", done)

    stems = options.stems or ("roles" if single_parts else False)
    rendered = None
    if begun is not None and stems == options.stems:
        with contextlib.suppress(InputError):  # too long to be held, or wrong: then it is said below
            rendered = begun.result(progress)
    if rendered is None:
        how = {"rate": options.rate or 44100, "soundfont": options.soundfont, "sends": SEND_WEIGHTS}
        if stems:
            rendered = render_midi(midi, stems=stems, progress=progress, **how)
        else:
            rendered = render_midi_to(Store().place, midi, progress=progress, **how)
    return masters_of(Material.of_midi(Path(midi).name, rendered), briefs, plans, options)


def master_many(source: str | Path | Audio, emotions: Iterable[str], options: Options) -> list[Result]:
    """Several masters of one recording."""
    briefs, options = briefs_of(emotions, options)
    options = with_reference(options)
    plans = [fitting(brief.plan(options), options) for brief in briefs]
    return masters_of(_material(source, options), briefs, plans, options)


def _material(source: str | Path | Audio, options: Options) -> Material:
    """A recording as it comes to the desk, at the rate asked for; a short one is held in memory."""
    if isinstance(source, Audio):
        audio = source if not options.rate else resample(source, options.rate)
        return Material("audio", sound_of(audio), tags=source.tags)
    file = open_sound(source)
    tags = file.tags
    file = resampled(file, options.rate) if options.rate else file
    sound = Store().keep(
        told(file.blocks(), file.time, lambda done: options.progress("reading", done)),
        file.channels, file.rate, file.time,
    )  # fmt: skip
    return Material(Path(source).name, sound, tags=tags)


def masters_of(
    material: Material, briefs: list[Brief], plans: list[tuple[Plan, list[str]]], options: Options
) -> list[Result]:
    """One neutral, then one master per brief on top of it."""
    stems = _stems(material) if options.stems else ()
    if options.preview:
        material = material.previewed()
    if not any(plan.parts for plan, _ in plans):
        material = material.without_stems()
    source = Source(material.name, material.mix, options.seed, material.rendered)
    if options.bypass:
        return [
            Result(material.mix, bypass_report(source, brief), stems, tags=dict(material.tags))
            for brief in briefs
        ]
    rooms = any("reverb_wet_db" in {*plan.shifts, *plan.wanted} for plan, _ in plans)
    bench, _ = _bench(material, None, options, rooms)
    results = []
    with torch.no_grad():
        neutral = make_neutral(bench, plans[0][0], options.progress)
        came = source.measured
        curves = [
            curve_of("as it came", material.mix, came.seen, came.tones),
            curve_of("neutral", neutral.sound, neutral.seen, neutral.tones),
        ]
        for brief, (plan, notes) in zip(briefs, plans, strict=True):
            own, more = _own_bench(bench, material, plan, options, rooms)
            made = solved = make_master(own, plan, neutral, options.progress)
            if options.refine:
                made = refine_by_gradient(own, made, options.progress)
            made, style, remarks = sounding_as_wanted(own, made, neutral, brief, options, solved)
            sound = _finished(material.mix, made, own)
            said = [IntentLine(field=field, text=text) for field, text in brief.words]
            report = master_report(source, brief, made, neutral, own, sound, curves, said=said)
            report.style = style
            report.notes += [*brief.notices, *notes, *more, *remarks]
            results.append(Result(sound, report, stems, material.mix, made.plan, dict(material.tags)))
    return results


def _own_bench(
    bench: Bench, material: Material, plan: Plan, options: Options, rooms: bool
) -> tuple[Bench, Sequence[str]]:
    """The bench a plan needs: the neutral's own, unless it edits the chain, the parts or the end."""
    if not (plan.added or plan.removed or plan.parts or plan.tail != "ring"):
        return bench, ()
    return _bench(material, plan, options, rooms)


def _bench(
    material: Material, plan: Plan | None, options: Options, rooms: bool
) -> tuple[Bench, Sequence[str]]:
    """The song as a plan wants it in front of the plan's chain, and remarks on that."""
    song, notes = material.song(plan)
    placed = chain_of(options, plan)
    rings = plan is None or plan.tail == "ring"
    if rings and (song.is_midi or rooms) and any(effect.name == "reverb" for effect in placed.values()):
        song = song.with_tail(LONGEST_TAIL_S)
    bench = Bench(song.to(options.device), placed)
    if bench.moving:
        form = material.form(plan or Plan())
        bench.song = with_form(bench.song, form, material.start_s)
        notes = [*notes, *form.notes]
    return bench, notes


def _finished(mix: Sound, made: Master, bench: Bench) -> Sound:
    """The master without the silence put behind it for the tail, its last moment faded out."""
    y = bench.rung_out(made.take.sound)
    return faded_out(y, min(round(FADE_S * mix.rate), y.time - mix.time))


def _asked(emotion: str | None) -> list[str]:
    return [] if emotion is None else [emotion]


def _stems(material: Material) -> tuple[tuple[str, Audio], ...]:
    return tuple((stem.name, stem.audio) for stem in material.rendered.stems) if material.rendered else ()


def _true_peak(sound: Sound) -> float:
    walk = TruePeakWalk()
    for block in sound.blocks():
        walk.add(block[0])
    return float(walk.done())
