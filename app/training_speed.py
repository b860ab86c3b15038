"""Speed of training on this machine: steps a second, against PyTorch's autograd.

CPU times of one thread, by turns in one process and in either order, so that a busy moment meets
both sides; a ratio is the median of the ratios of neighbours. Nothing is recorded. A step is a
batch of 64 sentences: forward, the cross-entropy of every token's answer, backward, the norm of the
gradient bounded, AdamW. PyTorch computes the same from weights of the same shapes, with its fused
optimizer and its fused GRU.

``unrolled bench`` shows it. PyTorch is asked for here and in ``app.speed``, and nowhere else. It is
the extra ``oracle``.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
from collections.abc import Callable, Iterator
from statistics import median
from time import process_time
from typing import Any

import numpy as np

from app.speed import goal
from engine.models import Config
from engine.tasks import Batch, Recipe, Task
from engine.training import CLIP, Training

BATCH, WORDS = 64, 32
AT_LEAST = {"grid": 0.95, "chain": 1.4}
PAIRS, WARM = 15, 3


def configurations() -> Iterator[tuple[str, Config, int]]:
    """Yield a title, a shape and the tokens of a sentence, of everything that is measured."""
    for width, heads in ((40, 5), (64, 4)):
        grid = Config(
            kind="grid", words=WORDS, embedding=width, width=width, heads=heads, layers=2,
            mlp=4 * width, causal=True, positions="learned", max_length=64, answers="every",
        )  # fmt: skip
        for tokens in (16, 32, 64):
            yield f"Transformer, {width} wide", grid, tokens
    chain = Config(kind="chain", words=WORDS, embedding=40, width=64, cell="gru", answers="every")
    for tokens in (16, 32, 64):
        yield "GRU, 64 numbers", chain, tokens


def measure(pairs: int = PAIRS) -> list[dict[str, Any]]:
    """Return a row of measurements for each configuration, as what JSON can hold.

    Each is measured so many times, by turns with PyTorch.
    """
    from threadpoolctl import threadpool_limits

    torch = importlib.import_module("torch") if importlib.util.find_spec("torch") else None
    if torch is not None:
        torch.set_num_threads(1)
    with threadpool_limits(1):
        return [_row(torch, *each, pairs=pairs) for each in configurations()]


def _row(torch: Any, title: str, config: Config, tokens: int, *, pairs: int) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    ids = rng.integers(0, WORDS, (BATCH, tokens + 1))
    batch = Batch(ids[:, :-1].copy(), ids[:, 1:].copy())
    task = Task(
        name="noise", title="", vocabulary=tuple(map(str, range(WORDS))),
        draw=lambda rng, count: batch, sample=lambda rng, count, case: [batch],
        cases={}, in_range=(), recipes={},
    )  # fmt: skip
    recipe = Recipe(title=title, config=config, steps=10_000, rate=1e-3)
    ours = Training(task, recipe, 0).descend
    theirs = _torch_step(torch, config, batch) if torch else None
    seconds, ratios = [], []
    for turn in range(WARM + pairs):
        spent: dict[Callable[[], Any], float] = {}
        steps = [ours] if theirs is None else [ours, theirs]
        for step in steps if turn % 2 else reversed(steps):
            start = process_time()
            step()
            spent[step] = process_time() - start
        if turn >= WARM:
            seconds.append(spent[ours])
            if theirs is not None:
                ratios.append(spent[theirs] / spent[ours])
    what = "steps a second, over PyTorch's"
    return {
        "model": title,
        "tokens": tokens,
        "seconds": median(seconds),
        "steps_per_second": 1 / median(seconds),
        "goals": [goal(what, ratios, AT_LEAST[config.kind], at_least=True)],
    }


def report(rows: list[dict[str, Any]]) -> list[str]:
    """Return measurements as lines for people."""
    lines = []
    for row in rows:
        (aim,) = row["goals"]
        line = (
            f"  {row['model']:<22} {row['tokens']:>3} tokens   {row['steps_per_second']:6.1f} / s"
        )
        if aim["measured"] is None:
            lines.append(f"{line}   over PyTorch's: needs the extra oracle")
        else:
            verdict = "kept" if aim["kept"] else "missed"
            lines.append(
                f"{line}   {aim['measured']:.2f} of PyTorch's   goal at least {aim['goal']:.2f}   "
                f"{verdict}"
            )
    return lines


# ---- PyTorch -----------------------------------------------------------------------------------


def _torch_step(torch: Any, config: Config, batch: Batch) -> Callable[[], float]:
    """Return a step of training in PyTorch."""
    forward, parameters = (_torch_grid if config.kind == "grid" else _torch_gru)(torch, config)
    optimizer = torch.optim.AdamW(
        parameters, lr=1e-3, betas=(0.9, 0.98), weight_decay=0.0, fused=True
    )
    ids, answers = (torch.from_numpy(some) for some in (batch.ids, batch.answers))

    def step() -> float:
        loss = torch.nn.functional.cross_entropy(
            forward(ids).reshape(-1, config.words), answers.reshape(-1)
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, CLIP)
        optimizer.step()
        return float(loss.detach())

    return step


def _torch_gru(torch: Any, config: Config) -> tuple[Callable[[Any], Any], list[Any]]:
    """Return the chain in PyTorch: from ids to the logits of every token, and its parameters."""
    nn, d, e = torch.nn, config.width, config.embedding
    E = nn.Parameter(torch.randn(config.words, e) * 0.3)
    gru, combine = nn.GRU(e, d, batch_first=True), nn.Linear(d, e)

    def forward(ids: Any) -> Any:
        states, _ = gru(E[ids])
        return torch.tanh(combine(states)) @ E.T

    return forward, [E, *gru.parameters(), *combine.parameters()]


def _torch_grid(torch: Any, config: Config) -> tuple[Callable[[Any], Any], list[Any]]:
    """Return the grid in PyTorch: from ids to the logits of every token, and its parameters."""
    nn, d, h = torch.nn, config.width, config.heads
    E = nn.Parameter(torch.randn(config.words, d) * 0.3)
    P = nn.Parameter(torch.randn(config.max_length, d) * 0.3)
    blocks = nn.ModuleList(
        nn.ModuleDict(
            {
                "norm1": nn.LayerNorm(d), "norm2": nn.LayerNorm(d), "qkv": nn.Linear(d, 3 * d),
                "o": nn.Linear(d, d), "w_in": nn.Linear(d, config.mlp),
                "w_out": nn.Linear(config.mlp, d),
            }
        )
        for _ in range(config.layers)
    )  # fmt: skip
    last, gelu = nn.LayerNorm(d), nn.GELU("tanh")

    def forward(ids: Any) -> Any:
        B, T = ids.shape
        mask = torch.full((T, T), -math.inf).triu(1)
        x = E[ids] + P[:T]
        for block in blocks:
            q, k, v = (
                block["qkv"](block["norm1"](x)).view(B, T, 3, h, d // h).permute(2, 0, 3, 1, 4)
            )
            pattern = (q @ k.transpose(-1, -2) / math.sqrt(d // h) + mask).softmax(-1)
            x = x + block["o"]((pattern @ v).transpose(1, 2).reshape(B, T, d))
            x = x + block["w_out"](gelu(block["w_in"](block["norm2"](x))))
        return last(x) @ E.T

    return forward, [E, P, *blocks.parameters(), *last.parameters()]
