"""Blocks: the same numbers for the same seed, whoever makes them and however often they were stopped."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
import torch

from daiw_master.audio import Audio
from daiw_master.errors import InputError
from daiw_master.files import write_audio
from daiw_master.training.style import blocks, card, chains, contents, rails, shards
from daiw_master.training.style.augment import LOWEST_LEVEL_DB, MOST_TONE_DB, around, augmented, toned
from daiw_master.training.style.clips import CLIP, RATE
from daiw_master.training.style.mixes import MIXES
from daiw_master.training.style.slots import deal
from daiw_master.training.style.works import TRAINING_DOMAINS, folder_corpus


def quiet(line: str) -> None:
    pass


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Contents of five works: noise in pulses, each at a pace of its own."""
    folder = tmp_path_factory.mktemp("data")
    recordings = folder / "recordings"
    recordings.mkdir()
    for n in range(5):
        draw = torch.Generator().manual_seed(n)
        time = torch.arange(8 * RATE) / RATE
        pulses = torch.exp(-6 * (time * (2 + n) % 1))
        samples = 0.1 * torch.randn(2, time.numel(), generator=draw).clamp(-4, 4) * pulses
        write_audio(Audio(samples, RATE), recordings / f"work{n}.wav")
    slots = deal(folder_corpus(recordings, "audio", "train"), 5, 0)
    contents.make(folder, "train", "audio", slots, 1, quiet)
    return folder


@pytest.fixture
def small(monkeypatch):
    """Shards of one block, contents by the pair and three chains: seconds become tenths."""
    for module in (blocks, shards, card):
        monkeypatch.setattr(module, "SHARD", 1)
        monkeypatch.setattr(module, "CHAINS", 3)
    for module in (blocks, shards, card):
        monkeypatch.setattr(module, "CONTENTS", 2)


def test_a_content_in_another_guise_keeps_its_length_and_level():
    clip = np.random.default_rng(0).normal(size=(2, CLIP)).astype(np.float32)
    peaks = []
    for seed in range(12):
        other = augmented(clip, np.random.default_rng(seed))
        assert other.shape == (2, CLIP) and other.dtype == np.float32
        assert np.array_equal(other, augmented(clip, np.random.default_rng(seed)))
        peaks.append(20 * np.log10(np.abs(other).max()))
    assert LOWEST_LEVEL_DB - 1e-3 <= min(peaks) < -5 and -4 < max(peaks) <= 1e-3


def test_another_tone_is_another_spectrum_at_the_same_peak():
    clip = np.random.default_rng(0).normal(size=(2, RATE)).astype(np.float32)
    shifts = []
    for seed in range(12):
        other = toned(clip, np.random.default_rng(seed))
        assert other.shape == clip.shape and other.dtype == np.float32
        assert np.abs(other).max() == pytest.approx(np.abs(clip).max(), rel=1e-5)
        bands = [np.square(np.abs(np.fft.rfft(x[0]))) for x in (other, clip)]
        edges = np.array([50, 150, 600, 3000, 8000, 20000])
        power = [np.array([b[lo:hi].mean() for lo, hi in itertools.pairwise(edges)]) for b in bands]
        tone = 10 * np.log10(power[0] / power[1])
        shifts.append(tone - tone.mean())
    assert 1.0 < np.abs(shifts).max() < 3 * MOST_TONE_DB and np.std(shifts, axis=0).min() > 0.3


def test_the_shares_of_a_mix_sum_to_one_and_name_what_there_is():
    for mix in MIXES.values():
        # rails draw effects of their own, not kinds of chain
        kinds = (mix.kinds,) if set(mix.modes) - {"rail", "usual"} else ()
        for shares in (*kinds, mix.modes, mix.domains):
            assert sum(shares.values()) == pytest.approx(1.0)
        assert set(mix.domains) <= set(TRAINING_DOMAINS)
        source = np.random.default_rng(0)
        drawn = [chains.draw(source, kind, mix.without_retrieval) for kind in mix.kinds]
        assert [chain["kind"] for chain in drawn] == list(mix.kinds)
    assert MIXES["without"].without_retrieval and not MIXES["mastering"].without_retrieval
    assert len({mix.salt for mix in MIXES.values()}) == len(MIXES), "no two mixes draw the same blocks"


def test_a_clip_goes_round_without_a_jump():
    time = np.arange(CLIP) / RATE
    clip = np.stack([np.sin(2 * np.pi * 50.3 * time)] * 2).astype(np.float32)
    step = np.abs(np.diff(around(clip, CLIP // 2, CLIP))).max()
    assert step < 3 * np.abs(np.diff(clip)).max()
    assert np.array_equal(around(clip, 0, 1000), clip[:, :1000])


def test_silence_and_what_is_not_a_number_are_no_renders():
    heard = np.random.default_rng(0).normal(size=(2, blocks.WINDOW)).astype(np.float32)
    assert blocks._heard(heard, 1e-6)
    assert not blocks._heard(heard * 1e-5, 1e-6)
    assert not blocks._heard(heard * np.nan, 1e-6)
    heard[:, blocks.WINDOW // 3 :] = 0.0
    assert not blocks._heard(heard, 1e-6), "a third of sound and then nothing"


def test_a_chain_that_leaves_silence_is_drawn_again(data, small, monkeypatch):
    mute = []
    really = chains.render

    def render(chain, sound):
        if not mute:
            mute.append(chain)
        return np.zeros_like(sound) if chain is mute[0] else really(chain, sound)

    monkeypatch.setattr(blocks.chains, "render", render)
    block = blocks.make_block(shards.stores_of(data, "train"), MIXES["wide"], 0, 0)
    assert len(block.facts["chains"]) == 3
    assert mute and mute[0] not in block.facts["chains"]


@pytest.mark.usefixtures("small")
def test_blocks_follow_from_their_number_and_a_stopped_run_goes_on(data, monkeypatch):
    assert shards.make(data, 1, processes=1, seed=5, say=quiet) == 1
    assert shards.make(data, 3, processes=1, seed=5, say=quiet) == 3
    found = shards.Shards(data).load()
    size = found.features.shape[-1]
    assert found.features.shape == (3, 6, size) and found.features.dtype == np.float16
    assert found.by_content.shape == (3, 2, 3, size) and found.dry.shape == (3, 2, size)
    assert found.kinds.shape == found.effects.shape == (3, 3) and set(found.modes) <= set(MIXES["wide"].modes)
    assert np.isfinite(found.features).all()
    alone = blocks.make_block(shards.stores_of(data, "train"), MIXES["wide"], 5, 2)
    assert np.array_equal(alone.features, found.features[2]) and np.array_equal(alone.dry, found.dry[2])
    assert found.facts[2] == json.loads(json.dumps(alone.facts))
    assert len({c["group"] for c in alone.facts["contents"]}) == 2, "contents are of different works"
    # where a single effect was asked for, both labels say which
    assert all((found.effects[b] >= 0).all() == (found.modes[b] == "pretext") for b in range(3))
    with pytest.raises(InputError, match="another seed"):
        shards.make(data, 3, processes=1, seed=6, say=quiet)
    # two sets are learned from as one, and the card tells of both
    assert shards.make(data, 2, name="other", mix=MIXES["mastering"], processes=1, say=quiet) == 2
    other = shards.Shards(data, "other").load()
    assert not np.array_equal(other.features[0], found.features[0]) and set(other.modes) == {"mixed"}
    both = shards.joined([found, other])
    assert len(both.features) == len(both.dry) == len(both.kinds) == len(both.modes) == len(both.facts) == 5
    assert np.array_equal(both.features[3], other.features[0])
    told = card.card(data, ["train-wide", "other"], results={"zero-shot": "0.9"})
    assert "5 blocks of 2 contents" in told and "other: 2 blocks" in told and "40% of the contents" in told
    assert "5 of 5 works" in told and "| zero-shot | 0.9 |" in told


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", ["knobs", "usual"])
def test_a_block_on_a_rail_turns_one_knob_and_tells_how_far(data, name, monkeypatch):
    really, mute = rails.rung, []
    monkeypatch.setattr(rails, "rung", lambda rng, rail: mute.append(rail) or really(rng, rail))
    heard = blocks._heard
    monkeypatch.setattr(blocks, "_heard", lambda sound, floor: bool(mute) and heard(sound, floor))
    planned = blocks.make_block(shards.stores_of(data, "train"), MIXES[name], 0, 1).facts["chains"]
    assert mute, "a place that leaves silence is replaced by another of the same rail"
    names = [[step["effect"] for step in chain["steps"]] for chain in planned]
    assert names[0] == names[1] == names[2]
    moved = [
        (place, knob)
        for place, step in enumerate(planned[0]["steps"])
        for knob in step
        if len({chain["steps"][place][knob] for chain in planned}) > 1
    ]
    assert len(moved) == 1 and all(0 <= chain["at"] <= 1 for chain in planned)
    manifests = [shards._manifest(data, "train", 0, MIXES[mix]) for mix in ("wide", "knobs", "usual")]
    assert "rails" not in manifests[0] and manifests[1]["rails"] != manifests[2]["rails"]


@pytest.mark.usefixtures("small")
def test_no_block_is_begun_after_the_time_given(data):
    assert shards.make(data, 2, name="late", processes=1, until=0.0, say=quiet) == 0
    with pytest.raises(InputError, match="holds no blocks"):
        shards.Shards(data, "late").load()


def test_too_few_works_are_refused(data, monkeypatch):
    monkeypatch.setattr(blocks, "CONTENTS", 6)
    with pytest.raises(InputError, match="6 different works"):
        blocks.make_block(shards.stores_of(data, "train"), MIXES["wide"], 0, 0)
