"""The story: a feeling and a song in, a finished master and its reasons out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from daiw_master.audio import Audio
from daiw_master.errors import InputError, MissingDependencyError, UnknownNameError
from daiw_master.files import is_lossy, read_audio, write_audio, write_lossy_within, write_text_atomic
from daiw_master.intent import parse_emotion
from daiw_master.meters import measure as measure_audio
from daiw_master.meters.true_peak import true_peak
from daiw_master.midi import Rendered, render_midi
from daiw_master.plan import Plan, make_plan, parse_strength
from daiw_master.refine.bench import DELIVERY_KNOBS, Bench
from daiw_master.refine.gradient import refine_by_gradient
from daiw_master.refine.master import Master, make_master, make_neutral
from daiw_master.refine.song import FADE_S, Song, put_on_bench, send_of
from daiw_master.report.build import Source, bypass_report, master_report
from daiw_master.report.curves import curve_of
from daiw_master.report.model import Report
from daiw_master.report.words import summary
from daiw_master.stack import HOUSE_CHAIN, effect_named
from daiw_master.stack.chain import chain_space, qualified
from daiw_master.stack.effect import Effect
from daiw_master.targets import FIELDS, SPACE

#: Told what is being done, and what share of it is.
Progress = Callable[[str, float], None]
MIDI_ENDINGS = {".mid", ".midi", ".smf", ".kar", ".rmi"}
#: `--preview`: the loudest stretch of the song, this long.
PREVIEW_S = 20.0
#: The longest room any plan may ask for decides how much silence is put behind the song.
LONGEST_TAIL_S = 4.5


@dataclass
class Options:
    """What the user decided, apart from the feeling; one set for every master of a run."""

    strength: str = "1"
    platform: str | None = None
    lufs: float | None = None
    ceiling: float | None = None
    settings: Sequence[str] = ()
    chain: Sequence[str | Effect] | None = None
    relaxed: Sequence[str] = ()
    rate: int | None = None
    soundfont: str | Path | None = None
    stems: bool = False
    preview: bool = False
    bypass: bool = False
    refine: bool = False
    seed: int = 0
    device: str = "cpu"
    progress: Progress = field(default=lambda what, done: None)


@dataclass
class Result:
    """A finished master: the sound, its report, and the few lines that say what was done."""

    audio: Audio
    report: Report
    stems: tuple[tuple[str, Audio], ...] = ()

    def write(self, path: str | Path, *, bit_depth: int | str = 24, report: bool = True) -> Path:
        """Write the master (whole or not at all) and `NAME.report.json` beside it."""
        path = Path(path)
        if is_lossy(path) and not self.bypassed:
            ceiling = self.report.row("true_peak_dbtp").asked
            done = write_lossy_within(self.audio, path, ceiling, _true_peak)
            self.report.notes.append(
                f"decoded again, {path.name} peaks at {done.true_peak_dbtp:.2f} dBTP"
                + (f" after a trim of {done.trim_db:.2f} dB" if done.trim_db else "")
            )
        else:
            write_audio(self.audio, path, bit_depth=bit_depth, seed=self.report.seed)
        if report:
            write_text_atomic(path.with_suffix(".report.json"), self.report.model_dump_json(indent=2) + "\n")
        return path

    def picture(self, path: str | Path) -> Path:
        """Draw the song before and after, asked against got, as a PNG; refused for a bypass."""
        from daiw_master.report.picture import draw

        return draw(self.report, path)

    @property
    def bypassed(self) -> bool:
        return self.report.chain == []

    def summary(self) -> list[str]:
        """About six lines in an engineer's words."""
        return summary(self.report)


def render(midi: str | Path, emotion: str = "neutral", **options) -> Result:
    """Turn a MIDI file into a finished master that carries a feeling.

    `options` are the fields of `Options`: strength, platform, lufs, ceiling, settings
    (`["eq.tilt_db=1"]`), chain, rate, soundfont, seed, ... Raises `DaiwMasterError` with one clear line.
    """
    return render_many(midi, [emotion], Options(**options))[0]


def master(source: str | Path | Audio, emotion: str = "neutral", **options) -> Result:
    """Master a finished recording (a file, or `Audio`) so that it carries a feeling."""
    return master_many(source, [emotion], Options(**options))[0]


def measure(source: str | Path | Audio):
    """Hear a file in the words of the targets: loudness, true peak, bands, widths, crest, range."""
    return measure_audio(source if isinstance(source, Audio) else read_audio(source))


def render_many(midi: str | Path, emotions: Iterable[str], options: Options) -> list[Result]:
    """Several masters of one MIDI file; the song is rendered and finished neutrally once."""
    intents = [parse_emotion(text) for text in emotions]
    plans = [_plan(intent, options) for intent in intents]
    rendered = render_midi(
        midi,
        rate=options.rate or 44100,
        soundfont=options.soundfont,
        stems=options.stems or "roles",
        progress=lambda done: options.progress("rendering", done),
    )
    mix, send = rendered.mix, send_of((stem.role, stem.audio) for stem in rendered.stems)
    if not options.stems:
        rendered = replace(rendered, stems=())
    if options.preview:
        start, stop = _loudest(mix)
        mix, send = _cut(mix, start, stop), None if send is None else _cut(send, start, stop)
    song = put_on_bench(mix, send=send, tempo_bpm=rendered.tempo_bpm, is_midi=True)
    source = Source(Path(midi).name, mix, options.seed, rendered)
    return _masters(source, song, intents, plans, options, rendered)


def master_many(source: str | Path | Audio, emotions: Iterable[str], options: Options) -> list[Result]:
    """Several masters of one recording."""
    intents = [parse_emotion(text) for text in emotions]
    plans = [_plan(intent, options) for intent in intents]
    if not isinstance(source, Audio) and Path(source).suffix.lower() in MIDI_ENDINGS:
        raise InputError(f"{Path(source).name} is a MIDI file; `daiw-master render` turns it into sound")
    audio = source if isinstance(source, Audio) else read_audio(source)
    name = "audio" if isinstance(source, Audio) else Path(source).name
    if options.rate and options.rate != audio.rate:
        from daiw_master.files import resample

        audio = resample(audio, options.rate)
    if options.preview:
        audio = _cut(audio, *_loudest(audio))
    return _masters(Source(name, audio, options.seed), put_on_bench(audio), intents, plans, options, None)


def _masters(
    source: Source, song: Song, intents, plans: list[Plan], options: Options, rendered: Rendered | None
) -> list[Result]:
    """One neutral, then one master per feeling on top of it."""
    if options.bypass:
        return [Result(source.audio, bypass_report(source, i), _stems(rendered)) for i in intents]
    placed = chain_of(options)
    rooms = any("reverb_wet_db" in {*plan.shifts, *plan.wanted} for plan in plans)
    if (song.is_midi or rooms) and any(effect.name == "reverb" for effect in placed.values()):
        song = song.with_tail(LONGEST_TAIL_S)
    bench = Bench(song.to(options.device), placed)
    results = []
    with torch.no_grad():
        neutral = make_neutral(bench, plans[0], options.progress)
        finished = source.audio.with_samples(neutral.samples[0, :, : source.audio.samples.shape[-1]].cpu())
        curves = [curve_of("as it came", source.audio), curve_of("neutral", finished)]
        for intent, plan in zip(intents, plans, strict=True):
            made = make_master(bench, plan, neutral, options.progress)
            if options.refine:
                made = refine_by_gradient(bench, made, options.progress)
            audio = _finished(source.audio, made, bench)
            report = master_report(source, intent, made, neutral, bench, audio, curves)
            results.append(Result(audio, report, _stems(rendered)))
    return results


def chain_of(options: Options) -> dict[str, Effect]:
    """The chain by place name; the house chain unless the user gave one."""
    rows = HOUSE_CHAIN if options.chain is None else options.chain
    return qualified([effect_named(row) if isinstance(row, str) else row for row in rows])


def _plan(intent, options: Options) -> Plan:
    """What was asked, summed: user > platform > feeling."""
    factors = parse_strength(options.strength)
    targets, settings = split_settings(options.settings, options)
    for name, value in (("loudness_lufs", options.lufs), ("true_peak_dbtp", options.ceiling)):
        if value is not None:
            targets[name] = FIELDS[name].check(value, name)
    return make_plan(
        intent.name,
        intent.shift(),
        strength=factors,
        character=intent.character(chain_space(chain_of(options)), max(factors.values())),
        platform=options.platform,
        targets=targets,
        settings=settings,
        relaxed=options.relaxed,
    )


def split_settings(texts: Sequence[str], options: Options) -> tuple[dict[str, float], dict[str, float]]:
    """`NAME=VALUE` texts as (targets, knobs); an unknown name answers with the nearest of both."""
    knobs = chain_space(chain_of(options))
    targets, settings = {}, {}
    for text in texts:
        name = text.partition("=")[0].strip()
        if name == "gain_reduction_db":
            raise InputError(
                "gain_reduction_db is only measured; set dynamics.ratio or dynamics.threshold_db"
            )
        if name in SPACE:
            key, value = SPACE.parse(text)
            targets[key] = value
        elif name in knobs:
            key, value = knobs.parse(text)
            if key in DELIVERY_KNOBS:
                targets[DELIVERY_KNOBS[key]] = value
            else:
                settings[key] = value
        else:
            raise UnknownNameError("target or setting", name, [*SPACE, *knobs])
    return targets, settings


def _finished(mix: Audio, made: Master, bench: Bench) -> Audio:
    """The master without the silence put behind it for the tail, its last moment faded out."""
    y = bench.song.rung_out(made.take.samples)[0].cpu()
    fade = min(round(FADE_S * mix.rate), y.shape[-1] - mix.samples.shape[-1])
    if fade > 0:
        y = y.clone()
        y[:, y.shape[-1] - fade :] *= torch.linspace(1, 0, fade)
    return mix.with_samples(y)


def _loudest(audio: Audio) -> tuple[int, int]:
    """Start and end sample of the loudest `PREVIEW_S` seconds, by mean power."""
    length = min(round(PREVIEW_S * audio.rate), audio.samples.shape[-1])
    hop = audio.rate // 4
    power = audio.samples.double().square().mean(0).cumsum(0)
    starts = torch.arange(0, audio.samples.shape[-1] - length + 1, hop)
    ends = starts + length - 1
    start = int(starts[(power[ends] - power[starts]).argmax()])
    return start, start + length


def _cut(audio: Audio, start: int, stop: int) -> Audio:
    return audio.with_samples(audio.samples[:, start:stop])


def _stems(rendered: Rendered | None) -> tuple[tuple[str, Audio], ...]:
    return tuple((stem.name, stem.audio) for stem in rendered.stems) if rendered else ()


def _true_peak(audio: Audio) -> float:
    return float(true_peak(audio.batch, audio.rate))


def check_device(name: str) -> str:
    """`cpu` or `cuda`, if torch can use it here."""
    if name not in ("cpu", "cuda"):
        raise UnknownNameError("device", name, ["cpu", "cuda"], "(cpu or cuda)")
    if name == "cuda" and not torch.cuda.is_available():
        raise MissingDependencyError("torch finds no CUDA device here; use --device cpu")
    return name
