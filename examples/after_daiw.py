"""The hand-over: what DAiW wrote goes in, a finished master and its report come out.

    python examples/after_daiw.py song.mid my_intent.json [processed.json ...] [-o song.wav]

From inside the generator the files are not needed: `hand_over(midi_path, intent)` takes DAiW's own
`CompleteSongIntent`, the dict it saves, or the path of a saved one. Nothing of DAiW is imported here, and
nothing of daiw-master before it is needed, so that a generator may import this at no cost.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def hand_over(midi, intent, extras=(), output=None, **options):
    """Master a MIDI file after an intent; returns the result and its report, and writes it if told where.

    `extras`: what `daiw intent process -o` saved, or the .idaw.json beside the song. `options` are those
    of `daiw_master.Options`: platform, lufs, rules, preview, ...
    """
    import daiw_master as dm

    result = dm.render(midi, intent=intent, extras=tuple(extras), **options)
    if output is not None:
        result.write(output)
        result.html(Path(output).with_suffix(".report.html"), master_file=Path(output).name)
    return result, result.report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("midi", type=Path)
    parser.add_argument("intent", help="FILE or FILE:NAME")
    parser.add_argument("extras", nargs="*", type=Path)
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--preview", action="store_true", help="only the loudest 20 seconds")
    args = parser.parse_args()
    output = args.output or args.midi.with_suffix(".wav")
    result, report = hand_over(args.midi, args.intent, args.extras, output, preview=args.preview)
    print("\n".join(result.summary()))
    missed = [row.target for row in report.missed]
    print(f"written    {output}; {len(report.moves)} moves asked, missed: {', '.join(missed) or 'none'}")


if __name__ == "__main__":
    main()
