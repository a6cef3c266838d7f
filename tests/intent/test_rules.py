"""42 rules: every name finds one, every row can be carried out, no two are the same."""

from __future__ import annotations

from collections import Counter

import pytest
import yaml

from daiw_master import house
from daiw_master.data import load_yaml
from daiw_master.errors import UnknownNameError
from daiw_master.intent.rules import (
    GROUPS,
    MEASURES,
    RULES,
    Claim,
    changes_of,
    families,
    rule_moves,
    rule_named,
    rules_table,
    suggest_rules,
)
from daiw_master.moves import PART_ROLES, check_switch
from daiw_master.plan import plan_of
from daiw_master.stack import EFFECTS, HOUSE_CHAIN
from daiw_master.targets import BANDS, DELIVERY, FIELDS

ALL = [pytest.param(rule, id=rule.name) for rule in RULES.values()]
STARRED = {
    "ARRANGEMENT_BuriedVocals", "ARRANGEMENT_ExtremeDynamicRange", "RHYTHM_DroppedBeats",
    "TEMPORAL_AbruptEnding", "TEXTURE_DenseWall", "TEXTURE_FrequencyMasking", "TEXTURE_SparseEmptiness",
    "TEXTURE_TimbralDrift",
} | {name for name in RULES if name.startswith("PRODUCTION_")}  # fmt: skip
#: Shapes a form may be called, as presets/form.yaml has them.
FORMS = {
    "climb_to_climax", "slow_reveal", "repetitive_despair", "static_reflection", "sudden_shift", "descent",
    "rise_and_fall", "spiral", "premature_climax", "anti_climax", "extreme_range", "accelerando_decay",
    "steady", "sections",
}  # fmt: skip
ALIASES = {
    "PRODUCTION_BuriedVocals": "ARRANGEMENT_BuriedVocals",
    "PRODUCTION_HardClipping": "PRODUCTION_ClippingPeaks",
    "ARRANGEMENT_UnexpectedInstrumentation": "TEXTURE_ConflictingTimbres",
    "PRODUCTION_LoFiAesthetics": "PRODUCTION_LoFiDegradation",
    "ARRANGEMENT_ExtremeDynamics": "ARRANGEMENT_ExtremeDynamicRange",
    "HARMONY_NonFunctional": "HARMONY_AvoidTonicResolution",
    "RHYTHM_MeterAmbiguity": "RHYTHM_MetricModulation",
    "STRUCTURE_NonResolution": "HARMONY_AvoidTonicResolution",
    "HARMONY_RapidModulation": "HARMONY_ModalInterchange",
    "HARMONY_TritoneExploitation": "HARMONY_TritoneSubstitution",
    "RHYTHM_PolyrhythmicGroupings": "RHYTHM_PolyrhythmicLayers",
    "TRITONE_Unresolved": "HARMONY_UnresolvedDissonance",
}


def param_of(knob: str, chain):
    """The Param behind `effect.knob`; the test fails if the chain of this rule does not have it."""
    effect, _, name = knob.partition(".")
    assert effect in chain, f"{knob}: {effect} is not in this rule's chain"
    return EFFECTS[effect].space[name]


class TestTheTable:
    def test_42_by_group(self):
        assert [Counter(rule.group for rule in RULES.values())[g] for g in GROUPS] == [6, 5, 5, 8, 6, 6, 6]
        assert all(name.startswith(rule.group.upper() + "_") for name, rule in RULES.items())

    def test_the_stars_of_the_fact_sheet(self):
        assert {rule.name for rule in RULES.values() if rule.star == 2} == STARRED
        assert Counter(rule.star for rule in RULES.values()) == {2: 16, 1: 18, 0: 8}

    @pytest.mark.parametrize("rule", ALL)
    def test_moves_or_says_why_not(self, rule):
        assert rule.moves or (rule.star == 0 and "master" in rule.why + rule.means or "fader" in rule.why)
        assert rule.means and rule.why and rule.example_emotions

    def test_markdown_has_a_line_for_each(self):
        lines = rules_table().splitlines()
        assert len(lines) == 2 + 42
        for line, rule in zip(lines[2:], RULES.values(), strict=True):
            assert line.count("|") == 4 and f"`{rule.name}`" in line
            assert ("nothing." in line) == (not rule.moves)
        assert "in: tape, bits, wow, noise" in rules_table()

    def test_every_move_is_in_the_table(self):
        for rule in RULES.values():
            said = " ".join(changes_of(rule))
            for move in rule.moves:
                spoken = (
                    move.value if move.kind == "switch" else move.what.removeprefix("band_").split("_")[0]
                )
                assert move.what == "tail" or str(spoken).split(".")[0] in said, (rule.name, move)


class TestNames:
    @pytest.mark.parametrize(("alias", "name"), ALIASES.items())
    def test_aliases_found_in_the_wild(self, alias, name):
        assert rule_named(alias).name == name

    @pytest.mark.parametrize("rule", ALL)
    def test_a_rule_by_any_spelling(self, rule):
        for text in (rule.name, rule.name.lower(), rule.name.replace("_", " "), rule.bare, rule.bare.upper()):
            assert rule_named(text) is rule

    def test_no_name_means_two_rules(self):
        seen = Counter(n.casefold() for r in RULES.values() for n in {r.name, r.bare, *r.aliases})
        assert {name for name, count in seen.items() if count > 1} == set()

    def test_the_right_name_in_the_wrong_group(self):
        assert rule_named("PRODUCTION_DenseWall").name == "TEXTURE_DenseWall"

    @pytest.mark.parametrize("word", ["none", "not_sure", "not sure", "harmony", "Production", "structure"])
    def test_the_wizard_s_families_move_nothing_and_say_so(self, word):
        rule = rule_named(word)
        assert rule_moves(word) == [] and rule.group == "family" and len(rule.why) > 20

    def test_families_name_rules_that_exist(self):
        for family in families().values():
            for word in family.why.replace(",", " ").replace(":", " ").split():
                assert "_" not in word or word in RULES, word

    @pytest.mark.parametrize(
        ("typo", "meant"),
        [
            ("PRODUCTION_MonoColapse", "PRODUCTION_MonoCollapse"),
            ("lofi degredation", "LoFiDegradation"),
            ("TEMPORAL_AbruptEnd", "TEMPORAL_AbruptEnding"),
            ("HARMONY_Polytonal", "HARMONY_Polytonality"),
        ],
    )
    def test_a_typo_answers_with_the_nearest(self, typo, meant):
        with pytest.raises(UnknownNameError, match="unknown rule") as caught:
            rule_named(typo)
        assert meant in caught.value.nearest and rule_named(caught.value.nearest[0])

    @pytest.mark.parametrize("text", ["", "  ", "___", "GARBAGE", "\u2603"])
    def test_nonsense_is_refused_in_a_line(self, text):
        with pytest.raises(UnknownNameError) as caught:
            rule_moves(text)
        assert "\n" not in str(caught.value)

    def test_suggestions_follow_the_examples(self):
        def found(text):
            return [rule.bare for rule in suggest_rules(text)]

        assert found("grief") == ["AvoidTonicResolution", "UnresolvedDissonance"]
        assert found("RAGE") == ["ClippingPeaks"]
        assert set(found("dissociation")) == {
            "BuriedVocals",
            "LoFiDegradation",
            "MonotoneDrone",
            "TimeStretch",
        }
        assert found("overwhelming grief") == found("grief")
        assert found("conflict")[0] == "FrequencyMasking"  # a master has most to do with it
        assert found("tenderness") == [] and found("") == []


class TestEveryMove:
    @pytest.mark.parametrize("rule", ALL)
    def test_can_be_carried_out(self, rule):
        added = {move.value for move in rule.moves if move.what == "in"}
        assert added <= set(EFFECTS)
        chain = {*HOUSE_CHAIN, *added}
        for move in rule.moves:
            assert move.source == f"rule {rule.name}" and move.word == rule.name and move.voice == "feeling"
            assert move.why.strip()
            if move.kind == "shift":
                assert move.what in FIELDS and move.what != "true_peak_dbtp", "a ceiling is no rule to break"
                assert move.what != "gain_reduction_db", "only measured"
                assert abs(move.value) <= FIELDS[move.what].high - FIELDS[move.what].low
            elif move.kind in ("set", "lean"):
                param_of(move.what, chain).check(move.value)
            elif move.kind == "part":
                role, _, knob = move.what.partition(".")
                assert role in PART_ROLES
                if knob in ("gain_db", "send_db"):
                    assert abs(move.value) <= 8, "a master's hand on one part, not a remix"
                else:
                    param_of(knob, {"eq", "dynamics"}).check(move.value)
            else:
                check_switch(move.what, move.value)
                if move.what in ("relax", "lift"):
                    assert move.value in house.limits()
                elif move.what == "silence":
                    assert move.value in FIELDS or move.value in house.limits()
                elif move.what == "form":
                    assert move.value in FORMS and "automation" in added

    @pytest.mark.parametrize("rule", ALL)
    def test_an_effect_taken_in_is_turned_up(self, rule):
        touched = {move.what.partition(".")[0] for move in rule.moves if move.kind == "set"}
        assert {move.value for move in rule.moves if move.what == "in"} <= touched

    @pytest.mark.parametrize("rule", ALL)
    def test_no_setting_is_the_knob_s_rest(self, rule):
        """Ratio 1 takes the compressor out of the search, follow 0 holds the bed still; the rest turn."""
        rests = {"dynamics.ratio", "noise.follow"}
        for move in rule.moves:
            if move.kind in ("set", "lean") and move.what not in rests:
                effect, _, knob = move.what.partition(".")
                assert move.value != EFFECTS[effect].space[knob].default, move.what

    @pytest.mark.parametrize("rule", ALL)
    def test_sizes_stay_a_master_s(self, rule):
        bands = {move.what: move.value for move in rule.moves if move.what in BANDS}
        # bands are read against their mean: what is not balanced would be shared out behind the row's back
        assert abs(sum(bands.values())) < 1e-6
        assert all(abs(by) <= house.limits()["eq_band_db"].default for by in bands.values())
        plan = plan_of(rule.moves)
        assert -20 <= plan.loudness_lufs <= -12 and plan.ceiling_dbtp == -1

    @pytest.mark.parametrize("rule", ALL)
    def test_every_row_survives_being_summed(self, rule):
        plan = plan_of(rule.moves)
        assert plan.is_neutral == (not rule.moves)
        for name in DELIVERY:
            assert name in plan.delivery

    def test_no_two_rules_ask_the_same(self):
        asked = Counter(
            tuple(sorted((m.kind, m.what, str(m.value)) for m in rule.moves))
            for rule in RULES.values()
            if rule.moves
        )
        assert max(asked.values()) == 1

    def test_no_reason_is_given_twice(self):
        whys = [
            why for rule in RULES.values() for why in (rule.why, rule.means, *(m.why for m in rule.moves))
        ]
        assert [
            why for why, count in Counter(w.casefold().strip(". ") for w in whys).items() if count > 1
        ] == []

    def test_files_hold_no_key_twice(self):
        """PyYAML lets the second win without a word."""

        def check(node):
            if isinstance(node, yaml.MappingNode):
                keys = [key.value for key, _ in node.value]
                assert len(keys) == len(set(keys)), keys
                for _, value in node.value:
                    check(value)

        from daiw_master.data import data_folder

        for group in GROUPS:
            check(yaml.compose((data_folder("presets/rules") / f"{group}.yaml").read_text(encoding="utf-8")))
            assert load_yaml("presets/rules", group)

    def test_the_composer_s_reason_speaks(self):
        moves = rule_moves("MonoCollapse", " it was said in a lift ")
        assert {move.word for move in moves} == {"it was said in a lift"}
        assert moves[0].source == "rule PRODUCTION_MonoCollapse"

    def test_rules_add_up(self):
        both = plan_of(rule_moves("LoFiDegradation") + rule_moves("ExtremeDynamicRange"))
        assert both.loudness_lufs == pytest.approx(-14 - 2 - 4)
        assert both.settings["dynamics.ratio"] == 1 and set(both.added) >= {"tape", "automation"}

    def test_silence_wins_over_a_noise_bed(self):
        plan = plan_of(rule_moves("RoomNoise") + rule_moves("SilenceAsInstrument"))
        assert "noise" not in plan.added and plan.tail == "cut"


class TestSeedMappings:
    def test_buried_vocals(self):
        plan = plan_of(rule_moves("BuriedVocals"))
        lead = plan.parts["lead"]
        assert lead["gain_db"] < 0, "softer"
        assert lead["dynamics.expand_down_ratio"] > 1, "less compressed"
        assert lead["eq.peak_4_gain_db"] < 0 and plan.shifts["band_presence_db"].by < 0, "presence dip"

    def test_lo_fi(self):
        plan = plan_of(rule_moves("LoFiDegradation"))
        assert {"tape", "bits", "wow", "noise"} <= set(plan.added)
        assert plan.settings["tape.bandwidth_hz"] < 12000 and plan.settings["bits.depth_bits"] <= 12

    def test_extreme_dynamics(self):
        plan = plan_of(rule_moves("ExtremeDynamicRange"))
        assert plan.settings["dynamics.ratio"] == 1 and plan.loudness_lufs < -14


class TestClaims:
    @pytest.mark.parametrize("rule", ALL)
    def test_claim_something_measurable(self, rule):
        assert bool(rule.claims) == (rule.star > 0)
        shifted = {move.what: move.value for move in rule.moves if move.kind == "shift"}
        for claim in rule.claims:
            assert (claim.measure in FIELDS) != (claim.measure in MEASURES)
            assert (claim.part in PART_ROLES) == (claim.measure == "stem_level_db")
            if claim.measure in shifted:
                assert claim.value == shifted[claim.measure], "claimed is what is asked"

    @pytest.mark.parametrize("rule", [p for p in ALL if p.values[0].star == 2])
    def test_a_star_is_heard_not_merely_set(self, rule):
        heard = [c for c in rule.claims if c.measure in MEASURES or FIELDS[c.measure].kind == "heard"]
        assert heard

    def test_right_sign_and_right_size(self):
        claim = Claim("crest_db", -2.0)
        assert claim.points_right(-0.1) and not claim.points_right(0.5)
        assert claim.holds(-1.0) and claim.holds(-3.0) and not claim.holds(-0.9)
        assert Claim("section_peak", 0.3, tolerance=0.1).holds(0.38)
        assert Claim("clip_share", 0.01, at_least=True).holds(0.4)
        deeper = Claim("silence_db", -10, at_least=True)
        assert deeper.holds(-25) and not deeper.holds(-9) and not deeper.holds(12)
