"""The grid: Transformer blocks over all tokens at once, and the answer from the hidden word's row.

Notation, beside that of ``engine.attention``:

    P               positions                                     (token, feature)
    i               index of the hidden word

Sources: Vaswani et al. 2017; Devlin et al. 2019 for the hidden word; Hendrycks & Gimpel 2016 for
GELU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.attention import multi_head
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
        for which in ("norm1", "norm2"):
            named |= {f"blocks.{b}.{which}.gain": (d,), f"blocks.{b}.{which}.bias": (d,)}
        for to in "qkvo":
            named |= {f"blocks.{b}.attn.W_{to}": (d, d), f"blocks.{b}.attn.b_{to}": (d,)}
        named |= {
            f"blocks.{b}.mlp.W_in": (d, config.mlp),
            f"blocks.{b}.mlp.b_in": (config.mlp,),
            f"blocks.{b}.mlp.W_out": (config.mlp, d),
            f"blocks.{b}.mlp.b_out": (d,),
        }
    return named | {"answer.norm.gain": (d,), "answer.norm.bias": (d,)}


def numbers_at_most(config: Config, T: int) -> int:
    """Return a bound on the numbers that a trace of a grid holds for one sentence of T tokens."""
    d = config.width
    # Scores twice and the pattern; 17 rows and three of the MLP a block.
    block = 3 * config.heads * T * T + T * (17 * d + 3 * config.mlp)
    return config.layers * block + 3 * T * d + T * T + 4 * d + 2 * config.words


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
    """Record a Transformer encoder: all tokens at once, block by block, then the hidden row.

        x = E[tokens] + P,    x = block_b(x) for every b,    y = norm(x_i)

    Source: Vaswani et al. 2017, sections 3.1 and 3.5.
    """
    T = ids.shape[-1]
    placed = config.positions != "none"
    what = "x = E_{tokens} + P" if placed else "x = E_{tokens}"
    with tape.stage("embed", "Embed and add positions" if placed else "Embed", what):
        x = embed(tape, ids, name="embed.tokens")  # (token, feature)
        if placed:
            P = _positions(tape, config, T, x.value.dtype)  # (token, feature)
            x = tape("add", x, P, name="embed.x", axes=ROWS, equation="E_{tokens} + P")
        else:
            every = (slice(None), slice(None))
            x = tape("view", x, at=every, name="embed.x", axes=ROWS, equation="E_{tokens}")
        mask = _mask(tape, T, causal=config.causal, padding=padding, dtype=x.value.dtype)
    for block in range(config.layers):
        x = _block(tape, x, config, block=block, mask=mask)  # (token, feature)
    with tape.stage("answer", "Answer", "softmax(y E^⊤),  y = norm(x_i)"):
        i = numbered("x_t", hidden + 1)
        one = (hidden, slice(None))
        row = tape("view", x, at=one, name="answer.row", axes=FEATURE, equation=i)  # (feature,)
        n = "answer.norm"
        y = tape.norm(row, n, eps=config.eps, name=n, axes=FEATURE, letter=i)  # (feature,)
        answer(tape, y)


def _positions(tape: Tape, config: Config, T: int, dtype: Any) -> Tensor:
    """Return what is added to the embedding of each token, shape (token, feature)."""
    name = "embed.positions"
    if config.positions == "learned":
        table = tape.parameter("embed.P")  # (max_length, feature)
        return tape("view", table, at=(slice(T), slice(None)), name=name, axes=ROWS, equation="P")
    wave = (config.position_scale * sinusoidal(T, config.width)).astype(dtype)
    formula = "sin, cos(t / 10000^{2k/d})"
    return tape.input(wave, name=name, axes=ROWS, equation=formula, scale=config.position_scale)


def _mask(tape: Tape, T: int, *, causal: bool, padding: Array | None, dtype: Any) -> Tensor | None:
    """Record what no query may look at, as numbers to add to the scores; None when all is open."""
    closed = np.zeros((T, T), bool)  # (query, key)
    if causal:
        closed |= np.triu(np.ones((T, T), bool), k=1)
    axes: tuple[str, ...] = ("query", "key")
    if padding is not None and not padding.all():
        closed = closed | ~padding[..., None, :]  # (…, query, key): nobody looks at padding
        if padding.ndim == 2:
            closed, axes = closed[:, None], ("head", *axes)  # (batch, 1, query, key)
    if not closed.any():
        return None
    added = np.where(closed, -np.inf, 0.0).astype(dtype)
    return tape.input(added, name="mask", axes=axes, equation="0 where open, −∞ where closed")


def _block(tape: Tape, x: Tensor, config: Config, *, block: int, mask: Tensor | None) -> Tensor:
    """Return x behind one Transformer block, shape (token, feature).

        pre-norm:   y = x + heads(norm(x)),    x' = y + mlp(norm(y))
        post-norm:  y = norm(x + heads(x)),    x' = norm(y + mlp(y))
        mlp(n) = f(n W_in + b_in) W_out + b_out,    f = gelu or relu

    Source: Vaswani et al. 2017, section 3.1 and eq. 2 (post-norm, ReLU); Xiong et al. 2020, table 1
    (pre-norm); Hendrycks & Gimpel 2016 (GELU, and its tanh form).
    """
    b, pre, eps = f"blocks.{block}", config.norm == "pre", config.eps
    norm_eps = eps if pre else None
    out = multi_head(tape, x, block=block, heads=config.heads, norm_eps=norm_eps, mask=mask)
    order = "y + mlp(norm(y)),  y = x + out" if pre else "norm(y + mlp(y)),  y = norm(x + out)"
    with tape.stage(f"{b}.rest", "Rest of the block", order):
        y = tape("add", x, out, name=f"{b}.residual", axes=ROWS, equation="x + out")
        norm = f"{b}.norm2" if pre else f"{b}.norm1"
        n = tape.norm(y, norm, eps=eps, name=norm, axes=ROWS, letter="x + out")
        W, bias, axes = f"{b}.mlp.W_in", f"{b}.mlp.b_in", ("token", "neuron")
        a = tape.linear(n, W, bias, name=f"{b}.mlp.pre", axes=axes, letter="n")  # (token, neuron)
        f = f"{ACTIVATIONS[config.activation]}(n W_{{in}} + b_{{in}})"
        g = tape(config.activation, a, name=f"{b}.mlp.act", axes=axes, equation=f)
        W, bias = f"{b}.mlp.W_out", f"{b}.mlp.b_out"
        mlp = tape.linear(g, W, bias, name=f"{b}.mlp.out", axes=ROWS, letter="g")
        if pre:
            return tape("add", y, mlp, name=f"{b}.x", axes=ROWS, equation="x + out + mlp")
        y = tape("add", n, mlp, name=f"{b}.mlp.residual", axes=ROWS, equation="n + mlp")
        return tape.norm(y, f"{b}.norm2", eps=eps, name=f"{b}.x", axes=ROWS, letter="n + mlp")
