"""Train the shipped models of the missing word, with PyTorch, a development tool.

Run in the root of the repository:

    python -m scripts.train_missing_word --model rnn
    python -m scripts.train_missing_word --model transformer --seed 3 --steps 12000

Everything that is drawn comes from ``--seed``: with the same PyTorch, one thread and the same
arguments, the same numbers come out. What is not given comes from ``RECIPES``, which is how the
shipped files were made, in one to six minutes each on one core. Accuracy and roles on the card are
measured on the trained parameters with ``engine.models.run``, not here.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine import roles, tokens, weights
from engine.models import Config, Model, sinusoidal
from engine.tasks import missing_word as tasks

EMBEDDING = 40
BATCH = 64
POOL = 32  # batches of alike lengths that are drawn together
WARM_UP = 100
UNKNOWN_SHARE = 0.02
HELD_OUT_SEED, HELD_OUT, ROLE_SENTENCES = 9, 20_000, 1000
IDS = {word: i for i, word in enumerate(tasks.VOCABULARY)}
PADDING, UNKNOWN, BLANK = (IDS[w] for w in (tokens.PADDING, tokens.UNKNOWN, tokens.BLANK))


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a shipped model is made."""

    title: str
    config: Config
    steps: int
    rate: float
    seed: int = 0
    sharpen: float = 0.0  # weight in the loss of the patterns' entropy
    disagree: float = 0.0  # weight in the loss of how much heads of a block look at the same words
    about: str = ""  # what the card has to explain


def _chain(
    title: str,
    cell: str,
    width: int,
    attention: bool,
    *,
    bidirectional: bool = False,
    **recipe: Any,
) -> Recipe:
    config = Config(
        kind="chain",
        words=len(tasks.VOCABULARY),
        embedding=EMBEDDING,
        width=width,
        cell=cell,
        attention=attention,
        bidirectional=bidirectional,
    )
    return Recipe(title=title, config=config, **recipe)


def _both_sides(cell_title: str, cell: str, attention: bool, **recipe: Any) -> Recipe:
    title = f"Bidirectional {cell_title}{' with attention' if attention else ''}"
    about = "8 numbers of state each way: as many as the 16 of a small chain of one direction"
    return _chain(title, cell, 8, attention, bidirectional=True, about=about, **recipe)


def _grid(title: str, *, causal: bool, **recipe: Any) -> Recipe:
    config = Config(
        kind="grid",
        words=len(tasks.VOCABULARY),
        embedding=EMBEDDING,
        width=EMBEDDING,
        heads=5,
        layers=2,
        mlp=160,
        position_scale=1.0,
        causal=causal,
    )
    shape = {"steps": 18_000, "rate": 3e-3, "sharpen": 0.02, "disagree": 0.1}
    return Recipe(title=title, config=config, **(shape | recipe))


RECIPES = {
    "rnn": _chain("RNN with attention", "elman", 16, True, steps=110_000, rate=3e-3, seed=1),
    "rnn-plain": _chain("RNN", "elman", 16, False, steps=110_000, rate=3e-3),
    "gru": _chain("GRU with attention", "gru", 16, True, steps=35_000, rate=4e-3),
    "lstm": _chain("LSTM with attention", "lstm", 16, True, steps=30_000, rate=4e-3),
    "gru-plain": _chain("GRU", "gru", 16, False, steps=60_000, rate=4e-3),
    "lstm-plain": _chain("LSTM", "lstm", 16, False, steps=60_000, rate=4e-3),
    "rnn-bi": _both_sides("RNN", "elman", True, steps=110_000, rate=3e-3),
    "rnn-bi-plain": _both_sides("RNN", "elman", False, steps=110_000, rate=3e-3),
    "gru-bi": _both_sides("GRU", "gru", True, steps=35_000, rate=4e-3),
    "lstm-bi": _both_sides("LSTM", "lstm", True, steps=30_000, rate=4e-3),
    "gru-bi-plain": _both_sides("GRU", "gru", False, steps=45_000, rate=4e-3),
    "lstm-bi-plain": _both_sides("LSTM", "lstm", False, steps=45_000, rate=4e-3),
    "rnn-50k": _chain("RNN with attention", "elman", 110, True, steps=10_000, rate=1e-3),
    "rnn-plain-50k": _chain("RNN", "elman", 157, False, steps=10_000, rate=1e-3),
    "gru-50k": _chain("GRU with attention", "gru", 74, True, steps=8_000, rate=3e-3),
    "lstm-50k": _chain("LSTM with attention", "lstm", 66, True, steps=8_000, rate=3e-3),
    "gru-plain-50k": _chain("GRU", "gru", 88, False, steps=10_000, rate=3e-3),
    "lstm-plain-50k": _chain("LSTM", "lstm", 75, False, steps=10_000, rate=3e-3),
    "transformer": _grid("Transformer", causal=False),
    "transformer-causal": _grid(
        "Transformer, causal",
        causal=True,
        about="best_word is what is best possible from the words left of the hidden one alone",
    ),
}


class Chain(nn.Module):  # type: ignore[misc]
    """The chain of ``engine.models``, for a padded batch."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        kind = {"elman": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}[config.cell]
        e, d = config.embedding, config.width
        self.attention = config.attention
        self.E = nn.Parameter(torch.randn(config.words, e) * 0.3)
        self.rnn = kind(e, d, batch_first=True)
        self.back = kind(e, d, batch_first=True) if config.bidirectional else None
        for rnn in (self.rnn, self.back):
            if isinstance(rnn, nn.RNN):
                nn.init.orthogonal_(rnn.weight_hh_l0)
        D = config.directions * d
        self.W_a = nn.Parameter(torch.randn(D, D) / D) if config.attention else None
        self.combine = nn.Linear(2 * D if config.attention else D, e)

    def forward(self, ids: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits, the entropy of the pattern over the states, and no overlap of heads."""
        x = self.E[ids]
        rows, count = torch.arange(len(ids)), (ids != PADDING).sum(1)
        states, _ = self.rnn(x)  # (batch, token, hidden)
        y = states[rows, count - 1]
        if self.back is not None:
            # The sentence from its last word to its first, with the padding behind it as before.
            t = torch.arange(ids.shape[1])
            turned = torch.where(t < count[:, None], count[:, None] - 1 - t, t)  # (batch, token)
            behind, _ = self.back(x[rows[:, None], turned])
            y = torch.cat([y, behind[rows, count - 1]], -1)
            states = torch.cat([states, behind[rows[:, None], turned]], -1)
        entropy = y.new_zeros(())
        if self.W_a is not None:
            scores = torch.einsum("bh,bth->bt", y @ self.W_a, states)
            pattern = scores.masked_fill(ids == PADDING, -torch.inf).softmax(-1)
            entropy = -(pattern * (pattern + 1e-9).log()).sum(-1).mean()
            y = torch.cat([y, torch.einsum("bt,bth->bh", pattern, states)], -1)
        return torch.tanh(self.combine(y)) @ self.E.T, entropy, y.new_zeros(())

    def parameters_by_name(self) -> dict[str, Tensor]:
        """Return the parameters as the engine names and shapes them."""
        named = {"embed.E": self.E}
        for name, rnn in (("rnn", self.rnn), ("rnn.back", self.back)):
            if rnn is None:
                continue
            named |= {f"{name}.W_x": rnn.weight_ih_l0.T, f"{name}.W_h": rnn.weight_hh_l0.T}
            if isinstance(rnn, nn.GRU):
                named |= {f"{name}.b": rnn.bias_ih_l0, f"{name}.b_h": rnn.bias_hh_l0}
            else:
                named |= {f"{name}.b": rnn.bias_ih_l0 + rnn.bias_hh_l0}
        if self.W_a is not None:
            named |= {"attn.W_a": self.W_a}
        return named | {"answer.W_c": self.combine.weight.T, "answer.b_c": self.combine.bias}


class Block(nn.Module):  # type: ignore[misc]
    """A pre-norm Transformer block."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        d = config.width
        self.norm1, self.norm2 = nn.LayerNorm(d, config.eps), nn.LayerNorm(d, config.eps)
        self.q, self.k, self.v, self.o = (nn.Linear(d, d) for _ in range(4))
        self.w_in, self.w_out = nn.Linear(d, config.mlp), nn.Linear(config.mlp, d)


class Grid(nn.Module):  # type: ignore[misc]
    """The grid of ``engine.models``, for a padded batch."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.E = nn.Parameter(torch.randn(config.words, config.width) * 0.3)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width, config.eps)
        table = sinusoidal(tasks.LONGEST, config.width) * config.position_scale
        self.register_buffer("P", torch.tensor(table, dtype=torch.float32))

    def forward(self, ids: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits, the mean entropy of the patterns, and how much the heads overlap.

        The overlap of two heads is the product of their weights, summed over the keys; its mean
        over pairs of heads is Li et al.'s disagreement on attended positions ("Multi-head attention
        with disagreement regularization", 2018, section 3.2) but for the sign.
        """
        B, T = ids.shape
        heads = self.config.heads
        x = self.E[ids] + self.P[:T]
        counts = ids != PADDING
        closed = ~counts[:, None, None]  # (batch, 1, 1, key)
        if self.config.causal:
            closed = closed | torch.ones(T, T, dtype=torch.bool).triu(1)  # (batch, 1, query, key)
        entropies, overlaps = [], []

        def split(y: Tensor) -> Tensor:
            return y.view(B, T, heads, -1).transpose(1, 2)

        rows = torch.arange(B)
        for b, block in enumerate(self.blocks):
            y = block.norm1(x)
            q, k, v = split(block.q(y)), split(block.k(y)), split(block.v(y))
            if b == len(self.blocks) - 1:  # of the last block only the hidden word's row is read
                q, x = q[rows, :, hidden][:, :, None], x[rows, hidden][:, None]
                if self.config.causal:
                    closed = closed[rows, :, hidden][:, :, None]
            scores = q @ k.transpose(-1, -2) / math.sqrt(k.shape[-1])
            pattern = scores.masked_fill(closed, -torch.inf).softmax(-1)
            entropy = -(pattern * (pattern + 1e-9).log()).sum(-1).mean(1)  # (batch, query)
            twice = pattern.sum(1).square().sum(-1) - pattern.square().sum((1, 3))  # every pair
            some = counts if len(entropy[0]) > 1 else torch.ones_like(entropy, dtype=torch.bool)
            entropies.append(entropy[some].mean())
            overlaps.append(twice[some].mean() / (heads * (heads - 1)))
            x = x + block.o((pattern @ v).transpose(1, 2).reshape(B, -1, self.config.width))
            x = x + block.w_out(F.gelu(block.w_in(block.norm2(x)), approximate="tanh"))
        logits = self.norm(x[:, 0]) @ self.E.T
        return logits, torch.stack(entropies).mean(), torch.stack(overlaps).mean()

    def parameters_by_name(self) -> dict[str, Tensor]:
        """Return the parameters as the engine names and shapes them."""
        named = {"embed.E": self.E}
        for b, block in enumerate(self.blocks):
            for norm in ("norm1", "norm2"):
                layer = getattr(block, norm)
                named |= {f"blocks.{b}.{norm}.gain": layer.weight}
                named |= {f"blocks.{b}.{norm}.bias": layer.bias}
            for to in "qkvo":
                named |= {f"blocks.{b}.attn.W_{to}": getattr(block, to).weight.T}
                named |= {f"blocks.{b}.attn.b_{to}": getattr(block, to).bias}
            for side, layer in (("in", block.w_in), ("out", block.w_out)):
                named |= {f"blocks.{b}.mlp.W_{side}": layer.weight.T}
                named |= {f"blocks.{b}.mlp.b_{side}": layer.bias}
        return named | {"answer.norm.gain": self.norm.weight, "answer.norm.bias": self.norm.bias}


def network(config: Config) -> Chain | Grid:
    """Return an untrained network of a shape, its numbers drawn with torch's generator."""
    return Chain(config) if config.kind == "chain" else Grid(config)


def batches(seed: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield ids, index of the hidden word and its id, of sentences that are not held out.

    Half of the time the main verb is hidden, else any word. Sentences of a batch are of alike
    length, which saves padding.
    """
    rng = random.Random(seed)
    examples = tasks.examples(seed, held_out=False)
    while True:
        pool = sorted(islice(examples, BATCH * POOL), key=lambda example: len(example.words))
        starts = list(range(0, len(pool), BATCH))
        rng.shuffle(starts)
        for start in starts:
            some = pool[start : start + BATCH]
            ids = np.full((BATCH, len(some[-1].words)), PADDING)
            hidden = np.empty(BATCH, np.int64)
            answers = np.empty(BATCH, np.int64)
            for row, example in enumerate(some):
                words = example.words
                i = example.verb if rng.random() < 0.5 else rng.randrange(len(words))
                for j, word in enumerate(words):
                    ids[row, j] = UNKNOWN if rng.random() < UNKNOWN_SHARE else IDS[word]
                ids[row, i] = BLANK
                hidden[row], answers[row] = i, IDS[words[i]]
            yield torch.from_numpy(ids), torch.from_numpy(hidden), torch.from_numpy(answers)


def train(recipe: Recipe, *, steps: int, seed: int) -> dict[str, np.ndarray]:
    """Return the trained parameters, float32."""
    torch.manual_seed(seed)
    net = network(recipe.config)
    optimiser = torch.optim.AdamW(net.parameters(), lr=recipe.rate, weight_decay=0.0)
    started, mean = time.process_time(), 0.0
    for step, (ids, hidden, answers) in enumerate(islice(batches(seed), steps)):
        # Warm-up, then constant, then from 60 % of the steps on linearly down to 5 %; what is asked
        # of the patterns goes down alike, so that the answers have the last word.
        done = step / steps
        rate = min(1.0, (step + 1) / WARM_UP) * min(1.0, 1 - 0.95 * (done - 0.6) / 0.4)
        for group in optimiser.param_groups:
            group["lr"] = recipe.rate * rate
        logits, entropy, overlap = net(ids, hidden)
        loss = F.cross_entropy(logits, answers)
        mean += 0.01 * (loss.item() - mean)
        optimiser.zero_grad()
        (loss + rate * (recipe.sharpen * entropy + recipe.disagree * overlap)).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        if (step + 1) % 1000 == 0:
            seconds = time.process_time() - started
            print(f"{step + 1:6} steps {seconds:6.0f} s  loss {mean:.3f}", flush=True)
    return {
        name: np.ascontiguousarray(value.detach().numpy())
        for name, value in net.parameters_by_name().items()
    }


def write(
    recipe_id: str, recipe: Recipe, parameters: dict[str, np.ndarray], directory: Path
) -> None:
    """Measure a trained model with the engine, write it with its card, and say what it reaches."""
    model = Model(recipe_id, recipe.config, parameters, tasks.VOCABULARY)
    examples = list(islice(tasks.examples(HELD_OUT_SEED, held_out=True), HELD_OUT))
    reached = roles.accuracy(model, examples)
    card = {
        "title": recipe.title,
        "task": "the missing word",
        "seed": recipe.seed,
        "steps": recipe.steps,
        "shortest": tasks.SHORTEST,
        "trained_length": tasks.LONGEST,
        "held_out": {
            "sentences": HELD_OUT,
            "verb_number": round(reached.verb_number, 5),
            "word": round(reached.word, 4),
            "best_word": round(reached.best_word, 4),
            "by_distance": {
                str(distance): {
                    "verb_number": round(number, 5),
                    "word": round(word, 4),
                    "best_word": round(best, 4),
                    "sentences": count,
                }
                for distance, (number, word, best, count) in reached.by_distance.items()
            },
        },
        "roles": [
            [[name, round(score, 3)] for name, score in layer]
            for layer in roles.head_roles(model, roles.hide(examples[:ROLE_SENTENCES]))
        ],
    }
    if recipe.about:
        card["about"] = recipe.about
    weights.write(directory / f"{recipe_id}.safetensors", replace(model, card=card))
    print(json.dumps(card))


def main() -> None:
    """Train one model and write it with its card."""
    parser = argparse.ArgumentParser(description="Train a shipped model.")
    parser.add_argument("--model", required=True, choices=sorted(RECIPES))
    parser.add_argument("--seed", type=int)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--out", type=Path, default=Path("assets/models"))
    for name in ("rate", "sharpen", "disagree"):
        parser.add_argument(f"--{name}", type=float)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    given = {
        name: value
        for name, value in vars(arguments).items()
        if name not in ("model", "out") and value is not None
    }
    recipe = replace(RECIPES[arguments.model], **given)
    parameters = train(recipe, steps=recipe.steps, seed=recipe.seed)
    write(arguments.model, recipe, parameters, arguments.out)


if __name__ == "__main__":
    main()
