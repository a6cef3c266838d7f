"""Fitting: the loss is the one that is cited, equal chains find each other, an interrupted fit goes on."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from daiw_master.errors import InputError
from daiw_master.neural.descriptor import layout
from daiw_master.neural.encoder import load_encoder
from daiw_master.neural.weights_file import told_in, write_weights
from daiw_master.training.style.__main__ import main
from daiw_master.training.style.fit import Recipe, fit, together
from daiw_master.training.style.objectives import (
    NEIGHBOURS,
    RAIL_TEMPERATURE,
    Contrast,
    Pretext,
    contrastive,
)
from daiw_master.training.style.shards import Blocks

NUMBERS = max(part.stop for part in layout().values())
QUICK = Recipe(steps=120, blocks_a_step=4, hidden=32, mid_size=12, side_hidden=8, side_size=4, dropout=0.0)


def quiet(step: int, steps: int, loss: float) -> None:
    pass


def corpus(blocks: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Described blocks in which ten directions are styles the rest is content; and the contents."""
    draw = np.random.default_rng(0)
    ways = draw.normal(size=(10, NUMBERS))
    content = draw.normal(size=(blocks, 4, 1, NUMBERS))
    chains = draw.normal(size=(blocks, 1, 10, 10)) @ ways
    return (content + 0.7 * chains).astype(np.float16), content[:, :, 0].astype(np.float16)


def lesson(blocks: int) -> Contrast:
    return Contrast(*corpus(blocks), 16)


def test_the_loss_is_what_the_paper_says():
    """Word by word: Khosla et al.'s equation 2, and a softmax for every pair of contents."""
    torch.manual_seed(0)
    z = torch.nn.functional.normalize(torch.randn(2, 3, 4, 5, dtype=torch.float64), dim=-1)
    t, items = 0.2, [(b, i, c) for b in range(2) for i in range(3) for c in range(4)]
    supervised = []
    for a in items:
        others = [o for o in items if o != a]
        total = sum(math.exp(z[a] @ z[o] / t) for o in others)
        supervised += [
            -math.log(math.exp(z[a] @ z[o] / t) / total) for o in others if (o[0], o[2]) == (a[0], a[2])
        ]
    retrieval = []
    for b in range(2):
        for i, j in [(i, j) for i in range(3) for j in range(3) if i != j]:
            for c in range(4):
                total = sum(math.exp(z[b, i, c] @ z[b, j, e] / t) for e in range(4))
                retrieval.append(-math.log(math.exp(z[b, i, c] @ z[b, j, c] / t) / total))
    expected = np.mean(supervised) + np.mean(retrieval)
    assert float(contrastive(z, t)) == pytest.approx(expected, rel=1e-9)


def test_on_a_rail_neighbours_are_nearly_right():
    torch.manual_seed(1)
    z = torch.nn.functional.normalize(torch.randn(2, 2, 3, 5, dtype=torch.float64), dim=-1)
    places = torch.tensor([[0.0, 0.1, 0.9], [math.nan] * 3], dtype=torch.float64)
    found = float(contrastive(z, 0.2, places) - contrastive(z, 0.2))
    near = [math.exp(-0.5 * (d / NEIGHBOURS) ** 2) for d in (0.0, 0.1, 0.8, 0.9)]
    rows = [[near[0], near[1], near[3]], [near[1], near[0], near[2]], [near[3], near[2], near[0]]]
    lost = []
    for c, row in enumerate(rows):
        for i, j in ((0, 1), (1, 0)):
            hard = torch.tensor([z[0, i, c] @ z[0, j, e] / 0.2 for e in range(3)]).log_softmax(0)
            fine = torch.tensor([z[0, i, c] @ z[0, j, e] / RAIL_TEMPERATURE for e in range(3)]).log_softmax(0)
            lost.append(hard[c] - sum(w / sum(row) * fine[e] for e, w in enumerate(row)))
    assert found == pytest.approx(float(np.mean(lost)) / 2, rel=1e-6)  # the other block is no rail


def test_equal_chains_find_each_other_on_contents_never_heard():
    features, dry = corpus(32)
    encoder = fit(Contrast(features[:24], dry[:24], 16), replace(QUICK, steps=50, learning_rate=3e-3), quiet)
    fresh = torch.from_numpy(features[24:].astype(np.float32))
    z = encoder.head(fresh.flatten(0, 2)).unflatten(0, fresh.shape[:3])
    alike = torch.einsum("bcd,bed->bce", z[:, 0], z[:, 1])
    found = (alike.argmax(-1) == torch.arange(10)).float().mean()
    assert found > 0.6  # chance: 0.1
    assert not any(p.requires_grad for p in encoder.parameters())


def test_an_embedding_tells_what_its_chain_does():
    """Ten directions are styles: read off embeddings of blocks never heard, with most of their variance."""
    features, dry = corpus(40)
    taught = Contrast(features[:32], dry[:32], 16, directions=10)
    encoder = fit(taught, replace(QUICK, steps=150, learning_rate=3e-3), quiet)
    fresh = torch.from_numpy(features[32:].astype(np.float32))
    done = (fresh - torch.from_numpy(dry[32:].astype(np.float32))[:, :, None]) * taught.scale
    asked = (done.mean(1) - taught.usual) @ taught.ways
    with torch.no_grad():
        told = taught.modules[0](torch.cat(encoder.parts(fresh.flatten(0, 2)), -1))
        told = told.unflatten(0, fresh.shape[:3])
    left = float((told - asked[:, None]).square().mean() / asked.var())
    assert left < 0.6  # 1 would be nothing told
    # the largest direction of what chains do comes first, and none drowns the others
    spread = asked.flatten(0, 1).std(0)
    assert spread.argmax() < 3 and spread.max() < 4 * spread.min()


def test_an_interrupted_fit_ends_where_the_other_does(tmp_path, monkeypatch):
    recipe = replace(QUICK, steps=20, dropout=0.2)
    monkeypatch.setattr("daiw_master.training.style.fit.LOG_EVERY", 5)
    whole = fit(lesson(8), recipe, quiet)
    monkeypatch.setattr("time.monotonic", iter(range(0, 10**6, 100)).__next__)

    def power_cut(step: int, steps: int, loss: float) -> None:
        if step == 15:
            raise KeyboardInterrupt

    kept = tmp_path / "fit.pt"
    with pytest.raises(KeyboardInterrupt):
        fit(lesson(8), recipe, power_cut, kept)
    assert kept.exists()
    resumed = fit(lesson(8), recipe, quiet, kept)
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value, msg=name)


def test_members_side_by_side_say_what_each_said():
    features, _ = corpus(8)
    alone = [fit(lesson(8), replace(QUICK, steps=5, seed=seed), quiet) for seed in (0, 1)]
    both = together(alone)
    x = torch.from_numpy(features[0].reshape(-1, NUMBERS).astype(np.float32))
    apart = [member.parts(x) for member in alone]
    expected = torch.cat([apart[0][0], apart[1][0], apart[0][1], apart[1][1]], -1)
    torch.testing.assert_close(torch.cat(both.parts(x), -1), expected)
    assert both.size == 2 * alone[0].size and both.mid_size == 2 * alone[0].mid_size


def test_encoders_of_different_lessons_stand_side_by_side(tmp_path, capsys):
    """Each goes on hearing against what was usual in its own training; the file tells of both."""
    features, dry = corpus(16)
    lessons = (Contrast(features[:8], dry[:8], 16), Contrast(3 * features[8:] + 1, dry[8:], 16))
    alone = [fit(each, replace(QUICK, steps=5), quiet) for each in lessons]
    assert not torch.equal(alone[0].mean, alone[1].mean)
    paths = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    for encoder, path, blocks in zip(alone, paths, ("8", "9"), strict=True):
        write_weights(encoder, path, {"blocks": blocks, "licence": "GPL"})
    joined = tmp_path / "joined.safetensors"
    assert main(["join", *map(str, paths), "-o", str(joined)]) == 0
    assert {"blocks": "8; 9", "licence": "GPL", "members": "2"}.items() <= told_in(joined).items()
    x = torch.from_numpy(features[0].reshape(-1, NUMBERS).astype(np.float32))
    apart = [load_encoder(path).parts(x) for path in paths]
    expected = torch.cat([apart[0][0], apart[1][0], apart[0][1], apart[1][1]], -1)
    torch.testing.assert_close(torch.cat(load_encoder(joined).parts(x), -1), expected)

    other = fit(lessons[0], replace(QUICK, steps=1, hidden=16), quiet)
    write_weights(other, paths[1], {})
    kept = joined.read_bytes()
    assert main(["join", *map(str, paths), "-o", str(joined)]) == 2
    assert "different shapes" in capsys.readouterr().err and joined.read_bytes() == kept


def test_a_fit_may_learn_from_some_sorts_of_block():
    modes = np.array(["mixed", "ladder", "mixed"])
    numbers = np.arange(3)
    blocks = Blocks(
        numbers, numbers, numbers, modes, numbers, numbers, numbers, ({"n": 0}, {"n": 1}, {"n": 2})
    )
    mixed = blocks.of_modes(["mixed"])
    assert mixed.features.tolist() == [0, 2] and [fact["n"] for fact in mixed.facts] == [0, 2]
    with pytest.raises(InputError, match="no blocks of mode pretext; there are: ladder, mixed"):
        blocks.of_modes(["pretext"])


def test_the_pretext_learns_which_effect_it_was(monkeypatch):
    monkeypatch.setattr("daiw_master.training.style.fit.LOG_EVERY", 10)
    draw = np.random.default_rng(1)
    features, dry = corpus(24)[0], draw.normal(size=(24, 4, NUMBERS)).astype(np.float16)
    effects, presets = draw.integers(0, 3, (24, 10)), draw.integers(0, 4, (24, 10))
    done = draw.normal(size=(3, NUMBERS))[effects] + draw.normal(size=(4, NUMBERS))[presets]
    features = (features + 2.0 * done[:, None]).astype(np.float16).reshape(24, 40, -1)
    effects[12:], presets[12:] = -1, -1  # ordinary blocks, which the pretext leaves alone
    blocks = Blocks(
        features, dry, np.full((24, 10), "S"), np.full(24, "pretext"), effects, presets, presets, ()
    )
    lesson, lost = Pretext(blocks, 16, hidden=16), []
    assert len(lesson.features) == 12
    fit(lesson, replace(QUICK, steps=60, learning_rate=1e-2), lambda step, steps, loss: lost.append(loss))
    guessing = np.log(3) + np.log(4)
    assert lost[0] > 0.8 * guessing and lost[-1] < 0.85 * guessing
