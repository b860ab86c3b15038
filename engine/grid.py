"""The grid: Transformer blocks over all tokens at once, and the answer from the hidden word's row.

Notation, beside that of ``engine.attention``:

    P               positions                                     (token, feature)
    i               index of the hidden word

Sources: Vaswani et al. 2017; Devlin et al. 2019 for the hidden word; Hendrycks & Gimpel 2016 for
GELU.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.attention import OPEN, multi_head
from engine.cells import numbered
from engine.ops import Array
from engine.tape import Tape, Tensor
from engine.words import FEATURE, ROWS, answer, embed

if TYPE_CHECKING:
    from engine.models import Config


# Functions of the MLP, keys of ``engine.ops.OPS``, and how equations write them.
ACTIVATIONS = {"gelu": "gelu", "gelu_erf": "gelu", "relu": "relu"}


def shapes(config: Config) -> dict[str, tuple[int, ...]]:
    """Return the name and shape of every parameter of a grid, in the order of their use."""
    d = config.width
    named: dict[str, tuple[int, ...]] = {"embed.E": (config.words, d)}
    if config.positions == "learned":
        named |= {"embed.P": (config.max_length, d)}
    for b in range(config.layers):
        named |= block_shapes(config, f"blocks.{b}")
    return named | norm_shapes(d, "answer.norm")


def block_shapes(
    config: Config, b: str, *, norms: int = 2, heads: tuple[str, ...] = ("attn",)
) -> dict[str, tuple[int, ...]]:
    """Return name and shape of the parameters of a block whose names begin with ``b``."""
    d = config.width
    named: dict[str, tuple[int, ...]] = {}
    for k in range(1, norms + 1):
        named |= norm_shapes(d, f"{b}.norm{k}")
    for which in heads:
        for to in "qkvo":
            named |= {f"{b}.{which}.W_{to}": (d, d), f"{b}.{which}.b_{to}": (d,)}
    return named | {
        f"{b}.mlp.W_in": (d, config.mlp),
        f"{b}.mlp.b_in": (config.mlp,),
        f"{b}.mlp.W_out": (config.mlp, d),
        f"{b}.mlp.b_out": (d,),
    }


def norm_shapes(width: int, name: str) -> dict[str, tuple[int, ...]]:
    """Return name and shape of the parameters of a norm."""
    return {f"{name}.gain": (width,), f"{name}.bias": (width,)}


def numbers_at_most(config: Config, T: int) -> int:
    """Return a bound on the numbers that a trace of a grid holds for one sentence of T tokens."""
    d = config.width
    # Scores twice and the pattern; 17 rows and three of the MLP a block.
    block = 3 * config.heads * T * T + T * (17 * d + 3 * config.mlp)
    rows = T if config.answers == "every" else 1
    return config.layers * block + 3 * T * d + T * T + rows * (4 * d + 2 * config.words)


def said(config: Config, length: int) -> tuple[str, str, str]:
    """Return title, what is seen, and memory of a grid, for people."""
    title = f"Transformer, {config.heads} heads, {config.layers} layers"
    sees = (
        "only what stands left of the hidden word"
        if config.causal
        else "the whole sentence at once"
    )
    return title, sees, f"{length} × {config.width} numbers"


def sinusoidal(length: int, width: int) -> NDArray[np.float64]:
    """Return the table of positions, shape (token, feature).

        P_{t,2k} = sin(t / 10000^{2k/d}),    P_{t,2k+1} = cos(t / 10000^{2k/d}),    t from 0

    Source: Vaswani et al. 2017, section 3.5.
    """
    t = np.arange(length)[:, None]  # (token, 1)
    k = np.arange(0, width, 2)[None, :]  # (1, feature / 2)
    angle = t / 10000.0 ** (k / width)
    table = np.empty((length, width))
    table[:, 0::2] = np.sin(angle)
    table[:, 1::2] = np.cos(angle[:, : width // 2])
    return table


def record(tape: Tape, config: Config, ids: Array, hidden: int, padding: Array | None) -> None:
    """Record a Transformer of one stack: all tokens at once, block by block, then the hidden row.

        x = E[tokens] + P,    x = block_b(x) for every b,    y = norm(x_i)

    Source: Vaswani et al. 2017, sections 3.1 and 3.5.
    """
    x = rows(tape, config, ids, padding)  # (token, feature)
    if config.answers == "every":
        answer_rows(tape, config, x)
    else:
        answer_row(tape, config, x, hidden)


def rows(tape: Tape, config: Config, ids: Array, padding: Array | None) -> Tensor:
    """Return what the last block makes of all tokens, axes (token, feature), all of it recorded."""
    T = ids.shape[-1]
    with embedding(tape, config, "embed"):
        x = place(tape, config, ids, name="embed")  # (token, feature)
        mask = closed(
            tape, "mask", T, T, causal=config.causal, padding=padding, dtype=x.value.dtype
        )
    for b in range(config.layers):
        x = block(tape, x, config, b=f"blocks.{b}", mask=mask)  # (token, feature)
    return x


def embedding(
    tape: Tape, config: Config, stage: str, title: str = "{}"
) -> AbstractContextManager[None]:
    """Return the stage in which the tokens get their rows, its title around its own words."""
    if config.positions == "none":
        return tape.stage(stage, title.format("Embed"), "x = E_{tokens}")
    return tape.stage(stage, title.format("Embed and add positions"), "x = E_{tokens} + P")


def place(tape: Tape, config: Config, ids: Array, *, name: str, tokens: str = "tokens") -> Tensor:
    """Return the embedding of every token with its position, shape (token, feature).

    The steps are ``name.tokens``, ``name.positions`` and ``name.x``; the ids are ``tokens``.
    """
    x = embed(tape, ids, name=f"{name}.tokens", tokens=tokens)  # (token, feature)
    if config.positions == "none":
        every = (slice(None), slice(None))
        return tape("view", x, at=every, name=f"{name}.x", axes=ROWS, equation="E_{tokens}")
    T, n = ids.shape[-1], f"{name}.positions"
    if config.positions == "learned":
        table = tape.parameter("embed.P")  # (max_length, feature)
        P = tape("view", table, at=(slice(T), slice(None)), name=n, axes=ROWS, equation="P")
    else:
        scale = config.position_scale
        wave = (scale * sinusoidal(T, config.width)).astype(x.value.dtype)
        formula = "sin, cos(t / 10000^{2k/d})"
        P = tape.input(wave, name=n, axes=ROWS, equation=formula, scale=scale)
    return tape("add", x, P, name=f"{name}.x", axes=ROWS, equation="E_{tokens} + P")


def closed(
    tape: Tape,
    name: str,
    queries: int,
    keys: int,
    *,
    causal: bool = False,
    padding: Array | None = None,
    dtype: Any,
) -> Tensor | None:
    """Record what no query may look at, as numbers to add to the scores; None when all is open.

    ``padding`` is True where a key counts.
    """
    shut = np.zeros((queries, keys), bool)
    if causal:
        shut |= np.triu(np.ones((queries, keys), bool), k=1)
    axes: tuple[str, ...] = ("query", "key")
    if padding is not None and not padding.all():
        shut = shut | ~padding[..., None, :]  # (…, query, key): nobody looks at padding
        if padding.ndim == 2:
            shut, axes = shut[:, None], ("head", *axes)  # (batch, 1, query, key)
    if not shut.any():
        return None
    added = np.where(shut, -np.inf, 0.0).astype(dtype)
    return tape.input(added, name=name, axes=axes, equation=OPEN)


def block(tape: Tape, x: Tensor, config: Config, *, b: str, mask: Tensor | None) -> Tensor:
    """Return x behind one Transformer block, shape (token, feature).

        pre-norm:   y = x + heads(norm(x)),    x' = y + mlp(norm(y))
        post-norm:  y = norm(x + heads(x)),    x' = norm(y + mlp(y))

    Source: Vaswani et al. 2017, section 3.1 (post-norm); Xiong et al. 2020, table 1 (pre-norm).
    """
    norm_eps = config.eps if config.norm == "pre" else None
    out = multi_head(tape, x, block=b, heads=config.heads, norm_eps=norm_eps, mask=mask)
    return rest(tape, x, out, config, b=b)


def rest(
    tape: Tape,
    x: Tensor,
    out: Tensor,
    config: Config,
    *,
    b: str,
    residual: str = "residual",
    norms: int = 2,
    letter: str = "x",
) -> Tensor:
    """Return the rows behind a block's heads and its MLP, shape (token, feature).

        pre-norm:   y = x + out,          x' = y + mlp(norm(y))
        post-norm:  y = norm(x + out),    x' = norm(y + mlp(y))
        mlp(n) = f(n W_in + b_in) W_out + b_out,    f = gelu or relu

    Parameters
    ----------
    tape
        Records the stage ``b.rest``.
    x, out
        Rows, and what the heads add to them.
    residual
        Name of their sum.
    norms
        How many norms the block has; the last one or two stand here.
    letter
        Of x.

    Source: Vaswani et al. 2017, eq. 2 (ReLU); Hendrycks & Gimpel 2016 (GELU, and its tanh form).
    """
    pre, eps, summed = config.norm == "pre", config.eps, f"{letter} + out"
    y = "y′" if letter == "y" else "y"
    order = f"{y} + mlp(norm({y})),  {y} = {summed}"
    if not pre:
        order = f"norm({y} + mlp({y})),  {y} = norm({summed})"
    with tape.stage(f"{b}.rest", "Rest of the block", order):
        inner = tape("add", x, out, name=f"{b}.{residual}", axes=ROWS, equation=summed)
        norm = f"{b}.norm{norms if pre else norms - 1}"
        n = tape.norm(inner, norm, eps=eps, name=norm, axes=ROWS, letter=summed)
        W, bias, axes = f"{b}.mlp.W_in", f"{b}.mlp.b_in", ("token", "neuron")
        a = tape.linear(n, W, bias, name=f"{b}.mlp.pre", axes=axes, letter="n")  # (token, neuron)
        f = f"{ACTIVATIONS[config.activation]}(n W_{{in}} + b_{{in}})"
        g = tape(config.activation, a, name=f"{b}.mlp.act", axes=axes, equation=f)
        W, bias = f"{b}.mlp.W_out", f"{b}.mlp.b_out"
        mlp = tape.linear(g, W, bias, name=f"{b}.mlp.out", axes=ROWS, letter="g")
        if pre:
            return tape("add", inner, mlp, name=f"{b}.x", axes=ROWS, equation=f"{summed} + mlp")
        last = tape("add", n, mlp, name=f"{b}.mlp.residual", axes=ROWS, equation="n + mlp")
        norm = f"{b}.norm{norms}"
        return tape.norm(last, norm, eps=eps, name=f"{b}.x", axes=ROWS, letter="n + mlp")


def answer_row(tape: Tape, config: Config, x: Tensor, row: int) -> None:
    """Record which word one of the rows answers."""
    with tape.stage("answer", "Answer", "softmax(y E^⊤),  y = norm(x_i)"):
        i = numbered("x_t", row + 1)
        one = (row, slice(None))
        y = tape("view", x, at=one, name="answer.row", axes=FEATURE, equation=i)  # (feature,)
        n = "answer.norm"
        y = tape.norm(y, n, eps=config.eps, name=n, axes=FEATURE, letter=i)  # (feature,)
        answer(tape, y)


def answer_rows(tape: Tape, config: Config, x: Tensor) -> None:
    """Record which word every row answers."""
    with tape.stage("answer", "Answer at every token", "softmax(y E^⊤),  y = norm(x)"):
        n = "answer.norm"
        y = tape.norm(x, n, eps=config.eps, name=n, axes=ROWS, letter="x")  # (token, feature)
        answer(tape, y, ("token",))
