"""Live comparison with PyTorch over random shapes: every tensor that PyTorch shows."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.models import Config, Model, run
from engine.ops import Ops

pytestmark = pytest.mark.needs_oracle

# Rounding grows with the largest value of a tensor: float32 carries 6e-8 of it, float64 1e-16, and
# a value passes through tens of operations.
TOLERANCE = {np.float32: 1e-5, np.float64: 1e-10}
SEEDS = range(12)


def oracle() -> Any:
    """Return make_references.py, which builds PyTorch's own modules; imported late, for torch."""
    path = Path(__file__).with_name("make_references.py")
    spec = importlib.util.spec_from_file_location("make_references", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.torch.set_num_threads(1)
    return module


def random_chain(rng: np.random.Generator, cell: str) -> Config:
    return Config(
        kind="chain",
        words=int(rng.integers(2, 40)),
        embedding=int(rng.integers(1, 24)),
        width=int(rng.integers(1, 33)),
        cell=cell,
        attention=bool(rng.integers(2)),
        score=str(rng.choice(["dot", "general", "concat", "additive"])),
        layers=int(rng.integers(1, 4)),
        bidirectional=bool(rng.integers(2)),
    )


def random_grid(rng: np.random.Generator, length: int) -> Config:
    heads = int(rng.integers(1, 7))
    # A norm over two numbers is ±1, but where they nearly agree it makes a large error of rounding.
    width = heads * int(rng.integers(1 if heads > 3 else 4, 9))
    return Config(
        kind="grid",
        words=int(rng.integers(2, 40)),
        embedding=width,
        width=width,
        heads=heads,
        layers=int(rng.integers(1, 4)),
        mlp=int(rng.integers(1, 65)),
        norm=str(rng.choice(["pre", "post"])),
        activation=str(rng.choice(["gelu", "gelu_erf", "relu"])),
        positions=str(rng.choice(["sinusoidal", "learned", "none"])),
        position_scale=float(rng.uniform(0.2, 1.5)),
        max_length=length + int(rng.integers(4)),
        causal=bool(rng.integers(2)),
        eps=float(rng.choice([1e-5, 1e-6])),
    )


def compare(
    config: Config, rng: np.random.Generator, length: int, sentences: int, *, padded: bool
) -> None:
    """Run both over the same random sentences, and compare every step that PyTorch shows."""
    torch = oracle()
    # As small as a model's that was trained: a layer of large ones makes ten of one rounding error.
    named = {
        name: value * min(1.0, 2.0 / np.sqrt(value.shape[0]))
        for name, value in torch.parameters(config, rng).items()
    }
    ids = rng.integers(0, config.words, (sentences, length))
    lengths = rng.integers(1, length + 1, sentences)
    mask = np.arange(length) < lengths[:, None] if padded else None
    hidden = int(rng.integers(length))
    target = None
    if config.kind == "translator":
        target = rng.integers(0, config.words, (sentences, int(rng.integers(1, 8))))
    expected = torch.expected(config, named, ids, hidden=hidden, mask=mask, target=target)
    for dtype, tolerance in TOLERANCE.items():
        cast = {name: value.astype(dtype) for name, value in named.items()}
        model = Model("", config, cast, ("",) * config.words)
        trace = run(model, ids, hidden=hidden, ops=Ops(), mask=mask, target=target)
        for name, value in expected.items():
            if name == "answer.word":
                continue  # two words that are equally likely may change places by rounding
            ours = trace.value(name)
            assert ours.shape == value.shape, name
            assert ours.dtype == dtype, name
            error = np.abs(ours - value).max() / max(np.abs(value).max(), 1e-30)
            assert error <= tolerance, f"{name} in {np.dtype(dtype)}: {error:.1e}, {config}"


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("cell", ["elman", "gru", "lstm"])
def test_a_chain_agrees_with_pytorch(cell: str, seed: int) -> None:
    rng = np.random.default_rng([seed, len(cell)])
    length, sentences = int(rng.integers(1, 20)), int(rng.integers(1, 5))
    compare(random_chain(rng, cell), rng, length, sentences, padded=False)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", ["elman", "gru", "lstm"])
def test_one_token_one_number_one_sentence_of_a_chain_agrees_with_pytorch(
    cell: str, bidirectional: bool, layers: int
) -> None:
    config = Config(
        kind="chain", words=3, embedding=1, width=1, cell=cell, attention=True,
        bidirectional=bidirectional, layers=layers,
    )  # fmt: skip
    compare(config, np.random.default_rng(0), 1, 1, padded=False)


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_grid_agrees_with_pytorch(seed: int, padded: bool) -> None:
    rng = np.random.default_rng([seed, padded])
    length, sentences = int(rng.integers(1, 20)), int(rng.integers(1, 5))
    compare(random_grid(rng, length), rng, length, sentences, padded=padded)


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_translator_agrees_with_pytorch(seed: int, padded: bool) -> None:
    rng = np.random.default_rng([seed, padded, 2])
    length, sentences = int(rng.integers(1, 20)), int(rng.integers(1, 5))
    config = random_grid(rng, max(length, 7))
    config = replace(config, kind="translator", layers=min(config.layers, 2), causal=False)
    compare(config, rng, length, sentences, padded=padded)


@pytest.mark.parametrize("kind", ["grid", "translator"])
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_one_token_one_head_one_sentence_agrees_with_pytorch(norm: str, kind: str) -> None:
    rng = np.random.default_rng(0)
    config = Config(kind=kind, words=3, embedding=4, width=4, heads=1, layers=1, mlp=4, norm=norm)
    compare(config, rng, 1, 1, padded=False)
