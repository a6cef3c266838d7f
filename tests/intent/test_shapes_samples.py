"""Every sample file of DAiW's, one by one: it loads as a named shape, or is refused for a named reason."""

from __future__ import annotations

from fnmatch import fnmatch

import pytest

from daiw_master.errors import DaiwMasterError
from daiw_master.intent.check import check_intent
from daiw_master.intent.shapes import read_intent
from tests.intent.written import SAMPLES

#: Pattern of a path -> the shape it is read as.
READ = {
    "generated/intent_*.json": "intent",
    "generated/processed_*.json": "process output",
    "generated/therapy_*.plan.json": "therapy plan",
    "generated/harmony_*.result.json": "harmony result",
    "generated/wizard_export.json": "wizard export",
    "shipped/intent/*.idaw.json": "iDAW sidecar",
}
#: Pattern of a path -> the names of the intents in it.
SETS = {
    "shipped/intent/song_intent_examples.json": (
        "triumphant_hope", "defiance_liberation", "grief_misdirection", "dissociation", "anger_catharsis",
    ),
    "shipped/intent/song_intent_schema.yaml": (
        "template", "example_defiance_song", "example_grief_song", "example_triumphant_hope",
    ),
}  # fmt: skip
#: Pattern of a path -> why it is no intent.
REFUSED = {
    "*.mid": "is a MIDI file",
    "shipped/emotion/blends.json": "table of blended emotions",
    "shipped/emotion/metadata.json": "index of DAiW's emotion thesaurus",
    "shipped/emotion/[adfhs]*.json": "branch of DAiW's emotion thesaurus",
    "shipped/intent/rule_breaks.json": "catalogue of broken rules",
    "shipped/mix/GenreDefinitions.json": "genre definitions",
    "shipped/mix/genre_pocket_maps.json": "genre pocket maps",
    "shipped/mix/humanize_presets.json": "humanise presets",
    "shipped/other-branches/emotion_taxonomy.json": "taxonomy of emotions",
    "shipped/other-branches/genre_mix_fingerprints.json": "genre mix fingerprints",
    "*LICENSE*": "is not JSON or YAML",
    "*.md": "is not JSON or YAML",
}
FILES = (
    sorted(str(path.relative_to(SAMPLES)) for path in SAMPLES.rglob("*") if path.is_file())
    if SAMPLES.is_dir()
    else []
)
pytestmark = pytest.mark.skipif(not FILES, reason="DAiW's sample files are not on this machine")


def expected(file: str, table: dict):
    return next((value for pattern, value in table.items() if fnmatch(file, pattern)), None)


@pytest.mark.parametrize("file", FILES)
def test_every_sample_loads_or_is_refused_for_its_reason(file):
    refused = expected(file, REFUSED)
    if refused:
        with pytest.raises(DaiwMasterError, match=refused) as told:
            read_intent(SAMPLES / file)
        assert "\n" not in str(told.value)
        return
    if file in SETS:
        with pytest.raises(
            DaiwMasterError, match=f"holds {len(SETS[file])} intents: {', '.join(SETS[file])}"
        ):
            read_intent(SAMPLES / file)
        for name in SETS[file]:
            intent = read_intent(f"{SAMPLES / file}:{name}")
            if name != "template":
                assert intent.song_intent.mood_primary and intent.technical_constraints.technical_genre
                assert intent.rules, "Phase 2 under DAiW's other key"
                assert not [notice for notice in check_intent(intent) if notice.level == "error"]
        return
    shape = expected(file, READ)
    assert shape, f"{file} has no expectation"
    intent = read_intent(SAMPLES / file)
    assert intent.shape == shape
    assert not intent.unknown
    assert not [notice for notice in check_intent(intent) if notice.level == "error"]
    if shape != "harmony result":
        assert intent.song_intent.mood_primary


def test_saved_samples_raise_no_eyebrow():
    """DAiW's validation passes these; so do we, without even a warning."""
    for file in FILES:
        if fnmatch(file, "generated/intent_*.json"):
            assert check_intent(read_intent(SAMPLES / file)) == [], file
