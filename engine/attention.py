"""Attention: over the states of a recurrent layer, and of a sentence to itself with many heads.

Notation:

    T, d, h     tokens, width of a row, heads; d_head = d / h
    x           the sentence, a row a token                     (token, d)
    q, k, v     queries, keys, values                           (head, token, d_head)
    scores      how well query i fits key j                     (head, query, key)
    pattern     the scores as weights that sum to 1 over keys   (head, query, key)
    z           what each head brings back                      (head, query, d_head)
    H, p        states of a recurrent layer, their weights      (token, hidden), (token,)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.cells import HIDDEN, States
from engine.tape import Tape, Tensor
from engine.words import ROWS

HEADS = ("head", "token", "d_head")
TOKENS = ("token",)
STATES = ("token", "hidden")
PAIRS = ("head", "query", "key")
OPEN = "0 where open, −∞ where closed"  # how a mask is written


@dataclass(frozen=True)
class Score:
    """A row of ``SCORES``: how well each state fits what the last one asks for.

    ``title`` is what attention with this score is called, ``shapes`` gives its parameters for
    states of so many numbers, ``formula`` writes it (``#`` is the last state), ``record`` records
    it with tape, states and last state, and that one's letter.
    """

    title: str
    shapes: Callable[[int], dict[str, tuple[int, ...]]]
    formula: str
    record: Callable[[Tape, Tensor, Tensor, str], Tensor]


def look_back(tape: Tape, states: States, score: Score) -> tuple[Tensor, Tensor]:
    """Return the last state and the context vector that it asks for, each of shape (hidden,).

        p = softmax(score(h_T, h_j)),    c = Σ_j p_j h_j

    The scores are not scaled. It is always the last state that asks: in the papers the decoder's
    present state does (Luong) or its previous one (Bahdanau), and a decoder of one word begins
    from the last state.

    Parameters
    ----------
    tape
        Records the stage ``look_back`` with ``attn.states``, ``attn.scores``, ``attn.pattern``,
        ``attn.context`` and what the scores are made of.
    states
        Of the last layer.
    score
        A row of ``SCORES``.

    Source: Luong, Pham & Manning 2015, "Effective approaches to attention-based neural machine
    translation", section 3.1, eq. 7 and 8; Bahdanau, Cho & Bengio 2015, "Neural machine translation
    by jointly learning to align and translate", section 3.1.
    """
    fits = score.formula.replace("#", states.letter)
    with tape.stage("look_back", "Look back", f"c = p H,  p = softmax({fits})"):
        H = states.rows(tape, "attn.states")  # (token, hidden)
        last = states.last(tape)  # (hidden,)
        scores = score.record(tape, H, last, states.letter)  # (token,)
        weights = f"softmax({fits})"
        p = tape("softmax", scores, name="attn.pattern", axes=TOKENS, equation=weights)
        context = tape("product", p, H, name="attn.context", axes=HIDDEN, equation="p H")
    return last, context


def look_back_from_every(tape: Tape, states: States) -> tuple[Tensor, str]:
    """Return every state with what it asks for, [H; C] of shape (token, 2 * hidden), as written.

        C = softmax(H W_a Hᵀ + mask) H

    No state looks at a later one. Names are as of ``look_back``, with ``attn.joined``.

    Source: Luong, Pham & Manning 2015, eq. 7 and 8 ("general"), over the states of the same layer.
    """
    fits = "H W_a H^⊤ + mask"
    with tape.stage("look_back", "Look back from every state", f"C = P H,  P = softmax({fits})"):
        H = states.rows(tape, "attn.states")  # (token, hidden)
        T, W_a = H.value.shape[-2], tape.parameter("attn.W_a")
        ahead = np.where(np.triu(np.ones((T, T), bool), k=1), -np.inf, 0.0).astype(H.value.dtype)
        mask = tape.input(ahead, name="attn.mask", axes=("query", "key"), equation=OPEN)
        query = tape("product", H, W_a, name="attn.query", axes=STATES, equation="H W_a")
        axes, name = ("query", "key"), "attn.scores"
        scores = tape(
            "product", query, H, transpose_b=True, name=name, axes=axes, equation="H W_a H^⊤"
        )  # (query, key)
        name, weights = "attn.pattern", f"softmax({fits})"
        p = tape("softmax", scores, mask, name=name, axes=axes, equation=weights)
        context = tape("product", p, H, name="attn.context", axes=STATES, equation="P H")
        axes = ("token", "feature")
        joined = tape("concat", H, context, name="attn.joined", axes=axes, equation="[H; C]")
    return joined, "[H; C]"


def _dot(tape: Tape, H: Tensor, last: Tensor, letter: str) -> Tensor:
    """Return h_T h_jᵀ for every j, shape (token,)."""
    return _fit(tape, last, H, f"{letter} H^⊤")


def _general(tape: Tape, H: Tensor, last: Tensor, letter: str) -> Tensor:
    """Return h_T W_a h_jᵀ for every j, shape (token,)."""
    W_a, asks = tape.parameter("attn.W_a"), f"{letter} W_a"
    query = tape("product", last, W_a, name="attn.query", axes=HIDDEN, equation=asks)
    return _fit(tape, query, H, f"{asks} H^⊤")


def _concat(tape: Tape, H: Tensor, last: Tensor, letter: str) -> Tensor:
    """Return v_a · tanh([h_T; h_j] W_a) for every j, shape (token,)."""
    T = H.value.shape[-2]
    asks = f"[{letter}; …; {letter}]" if T > 1 else f"[{letter}]"
    asked = tape("stack", *[last] * T, name="attn.asked", axes=STATES, equation=asks)
    axes, pairs = ("token", "feature"), f"Concat({asks}, H)"
    pair = tape("concat", asked, H, name="attn.pairs", axes=axes, equation=pairs)
    W_a, inner = tape.parameter("attn.W_a"), f"{pairs} W_a"
    a = tape("product", pair, W_a, name="attn.energy.product", axes=STATES, equation=inner)
    energy = tape("tanh", a, name="attn.energy", axes=STATES, equation=f"tanh({inner})")
    return _fit(tape, tape.parameter("attn.v_a"), energy, f"v_a tanh({inner})^⊤")


def _additive(tape: Tape, H: Tensor, last: Tensor, letter: str) -> Tensor:
    """Return v_a · tanh(h_T W_a + h_j U_a) for every j, shape (token,)."""
    W_a, U_a = tape.parameter("attn.W_a"), tape.parameter("attn.U_a")
    asks, key = f"{letter} W_a", "H U_a"
    query = tape("product", last, W_a, name="attn.query", axes=HIDDEN, equation=asks)
    # A matrix of one row, which is added to every row of the keys, in a batch, too.
    row = tape("stack", query, name="attn.asked", axes=("query", "hidden"), equation=f"[{asks}]")
    keys = tape("product", H, U_a, name="attn.keys", axes=STATES, equation=key)
    a = tape("add", keys, row, name="attn.energy.sum", axes=STATES, equation=f"{key} + {asks}")
    inner = f"tanh({key} + {asks})"
    energy = tape("tanh", a, name="attn.energy", axes=STATES, equation=inner)
    return _fit(tape, tape.parameter("attn.v_a"), energy, f"v_a {inner}^⊤")


def _fit(tape: Tape, query: Tensor, rows: Tensor, formula: str) -> Tensor:
    """Return the dot product of a query with every row, as the step ``attn.scores``."""
    return tape(
        "product",
        query,
        rows,
        transpose_b=True,
        name="attn.scores",
        axes=TOKENS,
        equation=formula,
    )


SCORES: dict[str, Score] = {
    "dot": Score("dot-product attention", lambda D: {}, "# H^⊤", _dot),
    "general": Score(
        "attention", lambda D: {"attn.W_a": (D, D)}, "# W_a H^⊤", _general
    ),
    "concat": Score(
        "concat attention",
        lambda D: {"attn.W_a": (2 * D, D), "attn.v_a": (D,)},
        "v_a tanh([#; h_j] W_a)^⊤",
        _concat,
    ),
    "additive": Score(
        "additive attention",
        lambda D: {"attn.W_a": (D, D), "attn.U_a": (D, D), "attn.v_a": (D,)},
        "v_a tanh(H U_a + # W_a)^⊤",
        _additive,
    ),
}  # fmt: skip


def multi_head(
    tape: Tape, x: Tensor, *, block: str, heads: int, norm_eps: float | None, mask: Tensor | None
) -> Tensor:
    """Return what every token gathers from all others, by all heads at once, shape (token, d).

        z_i = softmax(q_i k_iᵀ / √d_head) v_i,    out = Concat(z_1 … z_h) W_o + b_o

    Parameters
    ----------
    tape
        Records the stages ``blocks.b.qkv``, ``.scores``, ``.softmax``, ``.weighted_sum`` and
        ``.project``.
    x
        The sentence, axes (token, feature).
    block
        What the names begin with, ``blocks.b``.
    heads
        h, which divides d.
    norm_eps
        ε of the norm in front of the heads; None without that norm.
    mask
        Added to the scores: 0 where a key counts and -inf where it does not; None when all count.

    Source: Vaswani et al. 2017, "Attention is all you need", eq. 1 and section 3.2.2; the norm in
    front of the heads: Xiong et al. 2020, "On layer normalization in the Transformer architecture".
    """
    projections = "q = x W_q + b_q,  k = x W_k + b_k,  v = x W_v + b_v"
    with tape.stage(f"{block}.qkv", "q, k, v", projections):
        letter = "x"
        if norm_eps is not None:
            n, letter = f"{block}.norm1", "n"
            x = tape.norm(x, n, eps=norm_eps, name=n, axes=ROWS, letter="x")  # (token, d)
        q, k, v = (cut(tape, x, f"{block}.attn", to, letter, heads) for to in "qkv")
    return attend(tape, q, k, v, name=f"{block}.attn", stages=block, mask=mask)


def attend(
    tape: Tape,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    name: str,
    stages: str,
    mask: Tensor | None,
    title: str = "{}",
) -> Tensor:
    """Return what every query gathers from all keys, by all heads at once, shape (token, d).

    Parameters
    ----------
    tape
        Records the stages ``.scores``, ``.softmax``, ``.weighted_sum`` and ``.project``.
    q, k, v
        Queries, keys and values, shape (head, token, d_head); there may be more keys than queries.
    name
        What the names of the steps and of W_o and b_o begin with.
    stages, title
        What the names of the stages begin with, and their title around its own words.
    mask
        As of ``multi_head``.
    """
    d_head = q.value.shape[-1]
    with tape.stage(f"{stages}.scores", title.format("Scores"), "q k^⊤ / √d_{head}"):
        products = tape(
            "product",
            q,
            k,
            transpose_b=True,
            name=f"{name}.scores.product",
            axes=PAIRS,
            equation="q k^⊤",
        )  # (head, query, key)
        scores = tape(
            "scale",
            products,
            # Without the root, scores grow with d_head until softmax puts all weight on one key.
            factor=1.0 / math.sqrt(d_head),
            name=f"{name}.scores",
            axes=PAIRS,
            equation="q k^⊤ / √d_{head}",
        )  # (head, query, key)
    masked = () if mask is None else (mask,)
    formula = "softmax(q k^⊤ / √d_{head} + mask)" if masked else "softmax(q k^⊤ / √d_{head})"
    with tape.stage(f"{stages}.softmax", title.format("Softmax"), formula):
        n = f"{name}.pattern"
        pattern = tape("softmax", scores, *masked, name=n, axes=PAIRS, equation=formula)
    with tape.stage(f"{stages}.weighted_sum", title.format("Weighted sum"), "z = pattern v"):
        axes = ("head", "query", "d_head")
        z = tape("product", pattern, v, name=f"{name}.z", axes=axes, equation="pattern v")
    joined = "Concat(z_1 … z_h)"
    formula = f"out = {joined} W_o + b_o"
    with tape.stage(f"{stages}.project", title.format("Concat and project"), formula):
        rows = tape("merge_heads", z, name=f"{name}.concat", axes=ROWS, equation=joined)
        W_o, b_o = f"{name}.W_o", f"{name}.b_o"
        return tape.linear(rows, W_o, b_o, name=f"{name}.out", axes=ROWS, letter=joined)


def cut(tape: Tape, x: Tensor, name: str, to: str, letter: str, heads: int) -> Tensor:
    """Return q, k or v, a linear map of the rows cut into heads, shape (head, token, d_head)."""
    W, b = f"{name}.W_{to}", f"{name}.b_{to}"
    rows = tape.linear(x, W, b, name=f"{name}.{to}.sum", axes=ROWS, letter=letter)  # (token, d)
    formula = f"{letter} W_{to} + b_{to}"
    return tape("split_heads", rows, heads=heads, name=f"{name}.{to}", axes=HEADS, equation=formula)
