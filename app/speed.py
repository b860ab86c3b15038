"""Speed of the engine on this machine: against its own matrix product, and against PyTorch.

All are CPU times of one thread, by turns in one process and in either order, so that a busy moment
meets both sides; a ratio is the median of the ratios of neighbours. Models have random weights and
the shapes of ``GRID`` and ``CHAIN``; every step of a run is recorded, and behind the blocks of a
grid stand the logits of every token, as GPT-2 has them, and no answer for one of them. PyTorch
computes the same numbers from the same weights: a grid eagerly, with forward hooks that keep every
tensor which the trace keeps and PyTorch has at all, a chain by its fused layer, which keeps none
but the states. Both have touched their memory before the first run that counts. What they do with
it since is a part of their time: the engine writes again to what it has, PyTorch at times gives it
back to the system, and a run that has to get it anew takes up to twice as long.

PyTorch is asked for here and nowhere else in the application. It is the extra ``oracle``.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from time import process_time
from typing import Any

import numpy as np

from engine.grid import rows
from engine.models import Config, Model, initialise, run
from engine.ops import Array, Ops
from engine.tape import Tape
from engine.trace import DEPTHLESS, Step

# GPT-2 small (Radford et al. 2019, table 2).
GRID = Config(
    kind="grid",
    words=50257,
    embedding=768,
    width=768,
    heads=12,
    layers=12,
    mlp=3072,
    causal=True,
    positions="learned",
    max_length=1024,
)
CHAIN = Config(kind="chain", words=64, embedding=512, width=512, cell="gru")

AT_LEAST_OF_SGEMM = 0.70
AT_MOST_OF_TORCH = {"grid": 0.85, "chain": 0.80}
AT_MOST_OF_HELD = 1.10  # memory of a trace, over the bytes of the values it holds
SIDE = 1536  # of the square matrices whose product is the machine's rate
AGREE = 1e-4  # of the largest number, that both sides give the same answer
WARM = 2  # runs that do not count


def measure(grid: Config = GRID, chain: Config = CHAIN) -> list[dict[str, Any]]:
    """Return a row of measurements for each model and length, as what JSON can hold."""
    from threadpoolctl import threadpool_limits

    rng = np.random.default_rng(0)
    torch = importlib.import_module("torch") if importlib.util.find_spec("torch") else None
    if torch is not None:
        torch.set_num_threads(1)
    with threadpool_limits(1):
        large = _model("GPT-2 small's shape", grid, rng)
        theirs = _torch_grid(torch, large) if torch else None
        rows = [_row(large, _ids(large, T, rng), theirs, times=n) for T, n in ((128, 15), (512, 9))]
        recurrent = _model("GRU, 512 numbers", chain, rng)
        theirs = _torch_gru(torch, recurrent) if torch else None
        return [*rows, _row(recurrent, _ids(recurrent, 512, rng), theirs, times=15)]


def report(rows: list[dict[str, Any]]) -> list[str]:
    """Return measurements as lines for people."""
    lines = []
    for row in rows:
        lines.append(
            f"  {row['model']:<20} {row['tokens']:>4} tokens   {row['seconds'] * 1e3:7.1f} ms   "
            f"{row['gflops']:5.1f} GFLOP/s"
        )
        for goal in row["goals"]:
            if goal["measured"] is None:
                lines.append(f"    {goal['what']:<44} needs the extra oracle")
                continue
            bound = "at least" if goal["at_least"] else "at most"
            span = " … ".join(f"{end:.2f}" for end in goal["span"])
            lines.append(
                f"    {goal['what']:<44} {goal['measured']:5.2f}   {span:<11}   "
                f"goal {bound} {goal['goal']:.2f}   {'kept' if goal['kept'] else 'missed'}"
            )
    return lines


def goal(
    what: str, measured: Sequence[float] | None, bound: float, *, at_least: bool = False
) -> dict[str, Any]:
    """Return the median of ratios beside what it should be, and their span where there are several.

    ``kept`` is None where nothing was measured.
    """
    middle = median(measured) if measured else None
    kept = None
    if middle is not None:
        kept = middle >= bound if at_least else middle <= bound
    return {
        "what": what,
        "measured": middle,
        "span": [min(measured), max(measured)] if measured and len(measured) > 1 else [],
        "goal": bound,
        "at_least": at_least,
        "kept": kept,
    }


def held_bytes(steps: Sequence[Step]) -> int:
    """Return the bytes of the values of steps, without what is a view of another."""
    views = {"view", "split_heads"}
    assert views < DEPTHLESS
    return sum(step.value.nbytes for step in steps if step.op not in views)


def _model(title: str, config: Config, rng: np.random.Generator) -> Model:
    parameters = initialise(config, rng)
    return Model(title, config, parameters, tuple(map(str, range(config.words))))


def _ids(model: Model, length: int, rng: np.random.Generator) -> Array:
    return rng.integers(0, model.config.words, length)


def _row(
    model: Model,
    ids: Array,
    theirs: Callable[[Array], Any] | None,
    *,
    times: int,
) -> dict[str, Any]:
    """Return what one model does over one sentence, beside PyTorch's ``theirs``."""
    memory = _memory(model, ids)
    ops, steps, logits, answer = Ops(), None, None, None
    a, b = (np.full((SIDE, SIDE), value, np.float32) for value in (0.5, 2.0))
    out = np.empty_like(a)

    def us() -> float:
        nonlocal steps, logits
        steps = logits = None  # the memory of the last run serves this one, as it does PyTorch's
        seconds, (steps, logits) = _timed(lambda: forward(model, ids, ops))
        return seconds

    def them() -> float:
        nonlocal answer
        if theirs is None:
            return math.nan
        seconds, answer = _timed(lambda: theirs(ids))
        return seconds

    counted, rates, ratios = [], [], []
    for turn in range(WARM + times):
        sgemm, _ = _timed(lambda: np.matmul(a, b, out=out))
        if turn % 2:
            other, seconds = them(), us()
        else:
            seconds, other = us(), them()
        if turn >= WARM:
            counted.append(seconds)
            rates.append(2 * SIDE**3 / sgemm)
            ratios.append(seconds / other)
    assert steps is not None
    flops = sum(step.cost.flops for step in steps if step.op == "product")
    if answer is not None:
        check_same(model.id, answer_of(steps) if logits is None else logits, answer.numpy())
    kind = model.config.kind
    goals = [goal("time, over PyTorch's", ratios if theirs else None, AT_MOST_OF_TORCH[kind])]
    if logits is not None:
        flops += 2 * logits.size * model.config.width
        shares = [flops / s / rate for s, rate in zip(counted, rates, strict=True)]
        what = "products a second, over one large product"
        goals.append(goal(what, shares, AT_LEAST_OF_SGEMM, at_least=True))
    goals.append(goal("memory of the trace, over its values", [memory], AT_MOST_OF_HELD))
    return {
        "model": model.id,
        "tokens": len(ids),
        "seconds": median(counted),
        "gflops": flops / median(counted) / 1e9,
        "sgemm_gflops": median(rates) / 1e9,
        "held_bytes": held_bytes(steps),
        "goals": goals,
    }


def forward(model: Model, ids: Array, ops: Ops) -> tuple[Sequence[Step], Array | None]:
    """Return the steps of one sentence, and of a grid the logits of every token, (token, word)."""
    config, p = model.config, model.parameters
    if config.kind == "chain":
        return run(model, ids, hidden=len(ids) - 1, ops=ops).steps, None
    tape = Tape(ops, p)
    x = rows(tape, config, ids.copy(), None).value  # (token, feature); what is recorded stays
    y = ops.norm(x, p["answer.norm.gain"], p["answer.norm.bias"], config.eps)
    # The table is the larger of the two by far: from its side BLAS multiplies a tenth faster.
    logits = ops.product(p["embed.E"], y, transpose_b=True).T
    return tape.steps(), logits


def answer_of(steps: Sequence[Step]) -> Array:
    """Return the probabilities of the last word, (word,); the steps are made when looked at."""
    return next(step.value for step in steps if step.name == "answer.probabilities")


def _timed(function: Callable[[], Any]) -> tuple[float, Any]:
    """Return the CPU seconds of a call, and what it returned."""
    start = process_time()
    result = function()
    return process_time() - start, result


def _memory(model: Model, ids: Array) -> float:
    """Return the memory that a trace takes when it is new, over the bytes of its values.

    When its steps have been looked at they take about a kilobyte each, which counts where a
    recurrence has thousands.
    """
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    trace = run(model, ids, hidden=len(ids) - 1, ops=Ops())
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return (after - before) / held_bytes(trace.steps)


def check_same(model: str, ours: Array, theirs: Array) -> None:
    """Raise an error when PyTorch answers something else: then the times say nothing."""
    error = float(np.abs(ours - theirs).max() / np.abs(ours).max())
    if not error <= AGREE:
        raise ArithmeticError(f"{model}: PyTorch's answer differs by {error:.1e}.")


# ---- PyTorch -----------------------------------------------------------------------------------


def _torch_gru(torch: Any, model: Model) -> Callable[[Array], Any]:
    """Return the same GRU as PyTorch's fused layer: a function from ids to the answer."""
    p = {name: torch.from_numpy(value) for name, value in model.parameters.items()}
    d = model.config.width
    layer = torch.nn.GRU(model.config.embedding, d)
    with torch.no_grad():
        for name, ours in {
            "weight_ih_l0": p["rnn.W_x"].T,
            "weight_hh_l0": p["rnn.W_h"].T,
            "bias_ih_l0": p["rnn.b"],
            "bias_hh_l0": p["rnn.b_h"],
        }.items():
            getattr(layer, name).copy_(ours)

    def forward(ids: Array) -> Any:
        with torch.no_grad():
            states, _ = layer(p["embed.E"][torch.from_numpy(ids)])
            y = torch.tanh(states[-1] @ p["answer.W_c"] + p["answer.b_c"])
            return torch.softmax(y @ p["embed.E"].T, -1)

    return forward


def _torch_grid(torch: Any, model: Model) -> Callable[[Array], Any]:
    """Return the same decoder in PyTorch, eager and with hooks: a function from ids to logits.

    Every module keeps its result; ``Identity`` stands where a tensor is made by no other module.
    """
    nn, config, eps = torch.nn, model.config, model.config.eps
    p = {name: torch.from_numpy(value) for name, value in model.parameters.items()}
    kept: list[Any] = []

    def hooked(module: Any, **values: Any) -> Any:
        with torch.no_grad():
            for name, value in values.items():
                getattr(module, name).copy_(value)
        module.register_forward_hook(lambda _module, _inputs, result: kept.append(result))
        return module

    def linear(weight: str, bias: str) -> Any:
        module = nn.Linear(*p[weight].shape)
        return hooked(module, weight=p[weight].T, bias=p[bias])

    def norm(name: str) -> Any:
        module = nn.LayerNorm(config.width, eps)
        return hooked(module, weight=p[f"{name}.gain"], bias=p[f"{name}.bias"])

    keep = hooked(nn.Identity())
    softmax, gelu = hooked(nn.Softmax(-1)), hooked(nn.GELU("tanh"))
    blocks = [
        {
            "norm1": norm(f"blocks.{b}.norm1"),
            "norm2": norm(f"blocks.{b}.norm2"),
            **{to: linear(f"blocks.{b}.attn.W_{to}", f"blocks.{b}.attn.b_{to}") for to in "qkvo"},
            **{to: linear(f"blocks.{b}.mlp.W_{to}", f"blocks.{b}.mlp.b_{to}") for to in _MLP},
        }
        for b in range(config.layers)
    ]
    last, h = norm("answer.norm"), config.heads
    head = nn.Linear(config.width, config.words, bias=False)
    head.weight = nn.Parameter(p["embed.E"])  # tied
    hooked(head)

    def block(x: Any, mask: Any, m: Mapping[str, Any]) -> Any:
        n = m["norm1"](x)
        q, k, v = (keep(m[to](n).view(len(x), h, -1).transpose(0, 1)) for to in "qkv")
        scores = keep(keep(q @ k.transpose(-1, -2)) / math.sqrt(config.width // h))
        z = keep(softmax(scores + mask) @ v)
        y = keep(x + m["o"](keep(z.transpose(0, 1).reshape(x.shape))))
        return keep(y + m["out"](gelu(m["in"](m["norm2"](y)))))

    def forward(ids: Array) -> Any:
        kept.clear()
        T = len(ids)
        with torch.no_grad():
            mask = torch.full((T, T), -math.inf).triu(1)
            x = keep(p["embed.E"][torch.from_numpy(ids)] + p["embed.P"][:T])
            for m in blocks:
                x = block(x, mask, m)
            return head(last(x))

    return forward


_MLP = ("in", "out")
