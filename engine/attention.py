"""Attention: over the states of a recurrent layer, and of a sentence to itself with many heads.

Notation:

    T, d, h     tokens, width of a row, heads; d_head = d / h
    x           the sentence, one row a token                   (token, d)
    q, k, v     queries, keys, values                           (head, token, d_head)
    scores      how well query i fits key j                     (head, query, key)
    pattern     the same as weights that sum to 1 over the keys (head, query, key)
    z           what each head brings back                      (head, query, d_head)
"""

from __future__ import annotations

import math

from engine.tape import Tape, Tensor

HEADS = ("head", "token", "d_head")
PAIRS = ("head", "query", "key")
ROWS = ("token", "feature")


def look_back(tape: Tape, states: list[Tensor], *, stage: str) -> Tensor:
    """Return the context vector c = Σ_j p_j h_j that the last state asks for, shape (hidden,).

        score(h_T, h_j) = h_T W_a · h_j,    p = softmax(score)

    Luong's *general* score; the scores are not scaled.

    Parameters
    ----------
    tape
        Records ``attn.states``, ``attn.query``, ``attn.scores``, ``attn.pattern``,
        ``attn.context``.
    states
        h_1 … h_T, each (hidden,).
    stage
        Name of the stage.

    Source: Luong et al. 2015, "Effective approaches to attention-based neural machine translation",
    eq. 7-8 (general).
    """
    T = len(states)
    with tape.stage(stage, "Look back", f"c = Σ_j p_j h_j,  p = softmax(h_{{{T}}} W_a h_j^⊤)"):
        h = tape(
            "stack", *states, name="attn.states", axes=("token", "hidden"),
            equation=f"H = h_1 … h_{{{T}}}",
        )  # (token, hidden)  # fmt: skip
        query = tape(
            "product", states[-1], tape.parameter("attn.W_a"),
            name="attn.query", axes=("hidden",), equation=f"h_{{{T}}} W_a",
        )  # (hidden,)  # fmt: skip
        scores = tape(
            "product", query, h, transpose_b=True,
            name="attn.scores", axes=("token",), equation=f"h_{{{T}}} W_a H^⊤",
        )  # (token,)  # fmt: skip
        pattern = tape(
            "softmax", scores,
            name="attn.pattern", axes=("token",), equation=f"softmax(h_{{{T}}} W_a H^⊤)",
        )  # (token,)  # fmt: skip
        return tape(
            "product", pattern, h, name="attn.context", axes=("hidden",), equation="p H"
        )  # (hidden,)


def multi_head(
    tape: Tape, x: Tensor, *, block: int, heads: int, norm_eps: float | None, mask: Tensor | None
) -> Tensor:
    """Return what every token gathers from all others by all heads at once, shape (token, d).

        head_i = softmax(q_i k_i^⊤ / √d_head) v_i,    out = Concat(head_1 … head_h) W_o + b_o

    Parameters
    ----------
    tape
        Records the stages ``blocks.b.qkv``, ``.scores``, ``.softmax``, ``.weighted_sum`` and
        ``.project``.
    x
        The sentence, axes (token, feature).
    block
        b, from 0.
    heads
        h; divides d.
    norm_eps
        ε of the norm in front of the heads, None without one.
    mask
        Added to the scores: 0 where a key counts and -inf where it does not; None when all count.

    Source: Vaswani et al. 2017, "Attention is all you need", eq. 1 and section 3.2.2; the norm in
    front as in Xiong et al. 2020.
    """
    b = f"blocks.{block}"
    d_head = x.value.shape[-1] // heads
    with tape.stage(f"{b}.qkv", "q, k, v", "q = x W_q + b_q,  k = x W_k + b_k,  v = x W_v + b_v"):
        letter = "x"
        if norm_eps is not None:
            x = tape(
                "norm", x, tape.parameter(f"{b}.norm1.gain"), tape.parameter(f"{b}.norm1.bias"),
                eps=norm_eps, name=f"{b}.norm1", axes=ROWS, equation="n = norm(x)",
            )  # (token, feature)  # fmt: skip
            letter = "n"
        q, k, v = (
            _split(tape, x, name=f"{b}.attn", to=to, letter=letter, heads=heads) for to in "qkv"
        )  # each (head, token, d_head)
    with tape.stage(f"{b}.scores", "Scores", "q k^⊤ / √d_{head}"):
        scores = tape(
            "product", q, k, transpose_b=True,
            name=f"{b}.attn.scores.product", axes=PAIRS, equation="q k^⊤",
        )  # (head, query, key)  # fmt: skip
        # Without the root the scores grow with d_head until softmax puts all weight on one key.
        scores = tape(
            "scale", scores, factor=1.0 / math.sqrt(d_head),
            name=f"{b}.attn.scores", axes=PAIRS, equation="q k^⊤ / √d_{head}",
        )  # (head, query, key)  # fmt: skip
    with tape.stage(f"{b}.softmax", "Softmax", "softmax(q k^⊤ / √d_{head})"):
        operands = (scores,) if mask is None else (scores, mask)
        pattern = tape(
            "softmax", *operands, name=f"{b}.attn.pattern", axes=PAIRS,
            equation="softmax(q k^⊤ / √d_{head})" if mask is None
            else "softmax(q k^⊤ / √d_{head} + mask)",
        )  # (head, query, key)  # fmt: skip
    with tape.stage(f"{b}.weighted_sum", "Weighted sum", "z = pattern v"):
        z = tape(
            "product", pattern, v,
            name=f"{b}.attn.z", axes=("head", "query", "d_head"), equation="pattern v",
        )  # (head, query, d_head)  # fmt: skip
    with tape.stage(f"{b}.project", "Concat and project", "out = Concat(z_1 … z_h) W_o + b_o"):
        joined = tape(
            "merge_heads", z, name=f"{b}.attn.concat", axes=ROWS, equation="Concat(z_1 … z_h)"
        )  # (token, feature)
        return tape.linear(
            joined, weight=f"{b}.attn.W_o", bias=f"{b}.attn.b_o",
            name=f"{b}.attn.out", axes=ROWS, equation="Concat(z_1 … z_h) W_o + b_o",
        )  # (token, feature)  # fmt: skip


def _split(tape: Tape, x: Tensor, *, name: str, to: str, letter: str, heads: int) -> Tensor:
    """Return q, k or v: a linear map of the rows, then cut into heads."""
    rows = tape(
        "product", x, tape.parameter(f"{name}.W_{to}"),
        name=f"{name}.{to}.product", axes=ROWS, equation=f"{letter} W_{to}",
    )  # (token, feature)  # fmt: skip
    rows = tape(
        "add", rows, tape.parameter(f"{name}.b_{to}"),
        name=f"{name}.{to}.sum", axes=ROWS, equation=f"{letter} W_{to} + b_{to}",
    )  # (token, feature)  # fmt: skip
    return tape(
        "split_heads", rows, heads=heads,
        name=f"{name}.{to}", axes=HEADS, equation=f"{letter} W_{to} + b_{to}",
    )  # (head, token, d_head)  # fmt: skip
