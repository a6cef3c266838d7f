"""Files that are DAiW's or ours, but no intent: each refused with what it is and where it belongs."""

from __future__ import annotations

from collections.abc import Callable, Mapping


def _has(key: str) -> Callable[[Mapping], bool]:
    return lambda tree: key in tree


def _rows_have(key: str, under: str | None = None) -> Callable[[Mapping], bool]:
    """At least one row of the table (or of the table under a key) is a mapping with that key."""

    def found(tree: Mapping) -> bool:
        table = tree.get(under) if under else tree
        return isinstance(table, Mapping) and any(
            isinstance(row, Mapping) and key in row for row in table.values()
        )

    return found


#: (what gives it away, what to say), the surest first.
_KINDS: tuple[tuple[Callable[[Mapping], bool], str], ...] = (
    (
        lambda tree: str(tree.get("format", "")).startswith("daiw-master report"),
        "the report of a finished master; the intent is what went in before it",
    ),
    (
        lambda tree: tree.get("kind") == "platform",
        "a delivery target of ours; choose it with --platform, or with mastering.platform in an intent",
    ),
    (
        lambda tree: tree.get("kind") == "preset",
        "a preset of ours; use it with --preset, or name it under mastering.preset in an intent",
    ),
    (
        lambda tree: {"session_id", "responses"} <= tree.keys(),
        "an unfinished wizard session; DAiW's export_to_intent makes an intent of it",
    ),
    (_has("sub_emotions"), "a branch of DAiW's emotion thesaurus: words to choose a mood from, not a song's"),
    (_has("dyadic_blends"), "DAiW's table of blended emotions: names a mood may have, but nobody's song yet"),
    (_has("base_emotions"), "the index of DAiW's emotion thesaurus, which describes words and no song"),
    (_rows_have("sub_emotions", "emotions"), "DAiW's taxonomy of emotions, a dictionary rather than a sheet"),
    (
        _rows_have("frequency_balance"),
        "DAiW's genre mix fingerprints; name one of its genres as technical_genre and it is heard",
    ),
    (
        _rows_have("pocket_depth", "genres"),
        "DAiW's genre pocket maps: timing for its groove engine, which a master cannot move",
    ),
    (
        _rows_have("bpm_range", "genres"),
        "DAiW's genre definitions; name one as technical_genre instead of handing over the table",
    ),
    (
        _rows_have("groove_settings"),
        "DAiW's humanise presets: they loosen the playing before there is anything to master",
    ),
    (
        _rows_have("rule_being_broken"),
        "DAiW's catalogue of broken rules; name one as technical_rule_to_break and say why",
    ),
    (
        lambda tree: {"affect", "shifts"} <= tree.keys(),
        "one of our feelings; ask for it with --emotion, or as mood_primary in an intent",
    ),
)


def what_it_is(tree: Mapping) -> str | None:
    """What a file that is no intent looks like, in a phrase; None where nothing gives it away."""
    return next((text for found, text in _KINDS if found(tree)), None)
