"""What a rule claims is heard: five songs or more, mastered with it and without."""

from __future__ import annotations

import importlib.util
import statistics
from pathlib import Path

import pytest

from daiw_master.intent.rules import RULES

ROOT = Path(__file__).resolve().parents[2]
CLAIMING = [rule for rule in RULES.values() if rule.claims]
CLAIMS = [
    pytest.param(rule, claim, id=f"{rule.bare}-{claim.measure}") for rule in CLAIMING for claim in rule.claims
]
#: Songs that a claim must be heard on; fewer only where the others lack what it speaks of.
FEWEST = 5


@pytest.fixture(scope="module")
def rows() -> list[dict]:
    """Every claim of every rule, measured by benchmarks/rules.py on all of its songs."""
    spec = importlib.util.spec_from_file_location("rules_bench", ROOT / "benchmarks" / "rules.py")
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    missing = [song for song in bench.SONGS if not (bench.DATA / song).exists()]
    if missing:
        pytest.skip(f"sample songs are not here: {missing[0]}")
    names = [rule.name for rule in CLAIMING]
    return [row for song in bench.SONGS for row in bench.master_song((song, names))]


def test_every_starred_rule_claims_something():
    assert [rule.name for rule in RULES.values() if rule.star == 2 and not rule.claims] == []


@pytest.mark.slow
@pytest.mark.parametrize(("rule", "claim"), CLAIMS)
def test_heard_in_the_stated_direction_with_the_size_claimed(rows, rule, claim):
    mine = [
        row
        for row in rows
        if (row["rule"], row["measure"], row["part"]) == (rule.name, claim.measure, claim.part)
    ]
    heard = [row for row in mine if row["got"] is not None]
    # a song without room for an ask says so in its report, and is not held to it
    got = [row["got"] for row in heard if not row["cut"] or claim.holds(row["got"])]
    least = min(FEWEST, len(heard) if claim.measure == "highs_db" else FEWEST)
    assert len(got) >= least, [(row["song"], row["got"], row["cut"]) for row in mine]
    # one song in eight may have something of its own in the way (a harp that rings on by itself)
    assert sum(map(claim.points_right, got)) >= len(got) - len(got) // 8, got
    assert claim.holds(statistics.median(got)), got
