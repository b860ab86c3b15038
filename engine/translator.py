"""The translator: the Transformer of two stacks, an encoder of the source, a decoder of the target.

The encoder is a grid over the source. The decoder's tokens look at those left of them, and then at
what the encoder has made of the source (cross-attention); its last row answers with the next word
of the target. With the target of one token that begins it, that is the hidden word of the source.
Notation, beside that of ``engine.grid``:

    T, S            tokens of source and target
    m               what the encoder hands over                   (token of the source, feature)

The decoder's own heads do not wait for the encoder: both stacks begin at the same tick, and the
first cross-attention is where they meet.

Sources: Vaswani et al. 2017, figure 1 and section 3.2.3; Raffel et al. 2020, "Exploring the limits
of transfer learning with a unified text-to-text Transformer", section 2.1, for a decoder that
begins with the padding token, and section 3.1.4 for one that fills in what is hidden.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.attention import attend, cut, multi_head
from engine.grid import (
    answer_row,
    answer_rows,
    block,
    block_shapes,
    closed,
    embedding,
    norm_shapes,
    place,
    rest,
)
from engine.ops import Array
from engine.tape import Tape, Tensor
from engine.words import ROWS

if TYPE_CHECKING:
    from engine.models import Config


def shapes(config: Config) -> dict[str, tuple[int, ...]]:
    """Return the name and shape of every parameter of a translator, in the order of their use."""
    d = config.width
    named: dict[str, tuple[int, ...]] = {"embed.E": (config.words, d)}
    if config.positions == "learned":
        named |= {"embed.P": (config.max_length, d)}
    for b in range(config.layers):
        named |= block_shapes(config, f"encoder.blocks.{b}")
    if config.norm == "pre":
        named |= norm_shapes(d, "encoder.norm")
    for b in range(config.layers):
        named |= block_shapes(config, f"decoder.blocks.{b}", norms=3, heads=("attn", "cross"))
    return named | norm_shapes(d, "answer.norm")


def numbers_at_most(config: Config, T: int, S: int) -> int:
    """Return a bound on the numbers that a trace holds of one source and its target."""
    d, h = config.width, config.heads
    # Scores twice and the pattern; 17 rows and three of the MLP a block of the encoder, 26 of the
    # decoder, which also makes four of every row of the source.
    encoder = 3 * h * T * T + T * (17 * d + 3 * config.mlp)
    decoder = 3 * h * S * (S + T) + S * (26 * d + 3 * config.mlp) + 4 * T * d
    masks = T * T + S * S + S * T
    rows = (4 * T + 3 * S) * d
    answers = (S if config.answers == "every" else 1) * (4 * d + 2 * config.words)
    return config.layers * (encoder + decoder) + rows + masks + answers


def said(config: Config, T: int, S: int) -> tuple[str, str, str]:
    """Return title, what is seen, and memory of a translator, for people."""
    title = f"Encoder-decoder, {config.heads} heads, {config.layers} + {config.layers} layers"
    sees = "the whole source at once, and of the target what stands left"
    return title, sees, f"{T} + {S} rows × {config.width} numbers"


def record(tape: Tape, config: Config, ids: Array, target: Array, padding: Array | None) -> None:
    """Record both stacks, and the answer of the last token of the target, or of every one.

        m = encoder(E[source] + P),    x = decoder(E[target] + P, m),    y = norm(x_S)

    Parameters
    ----------
    tape
        Records names that begin with ``encoder`` and ``decoder``.
    config
        Of the kind "translator".
    ids, target
        Ids of both sentences, axes (token,) or (batch, token).
    padding
        True where a token of the source counts; None when all do.
    """
    T, S = ids.shape[-1], target.shape[-1]
    with embedding(tape, config, "encoder.embed", "Source: {}"):
        m = place(tape, config, ids, name="embed")  # (token, feature)
        dtype = m.value.dtype
        over_source = closed(tape, "mask", T, T, padding=padding, dtype=dtype)
    with embedding(tape, config, "decoder.embed", "Target: {}"):
        x = place(tape, config, target, name="decoder.embed", tokens="decoder.tokens")
        over_target = closed(tape, "decoder.mask", S, S, causal=True, dtype=dtype)
        across = closed(tape, "decoder.cross.mask", S, T, padding=padding, dtype=dtype)
    for b in range(config.layers):
        m = block(tape, m, config, b=f"encoder.blocks.{b}", mask=over_source)
    if config.norm == "pre":
        with tape.stage("encoder.norm", "Norm of what the encoder hands over", "m = norm(x)"):
            n = "encoder.norm"
            m = tape.norm(m, n, eps=config.eps, name=n, axes=ROWS, letter="x")
    for b in range(config.layers):
        x = _decode(tape, x, m, config, b=f"decoder.blocks.{b}", masks=(over_target, across))
    if config.answers == "every":
        answer_rows(tape, config, x)
    else:
        answer_row(tape, config, x, S - 1)


def _decode(
    tape: Tape,
    x: Tensor,
    m: Tensor,
    config: Config,
    *,
    b: str,
    masks: tuple[Tensor | None, Tensor | None],
) -> Tensor:
    """Return x behind one block of the decoder, shape (token, feature).

        pre-norm:   y = x + heads(norm(x)),  y' = y + cross(norm(y), m),  x' = y' + mlp(norm(y'))
        post-norm:  y = norm(x + heads(x)),  y' = norm(y + cross(y, m)),  x' = norm(y' + mlp(y'))

    ``cross`` takes its queries from the first and its keys and values from the second.
    """
    pre, eps, heads = config.norm == "pre", config.eps, config.heads
    over_target, across = masks
    norm_eps = eps if pre else None
    out = multi_head(tape, x, block=b, heads=heads, norm_eps=norm_eps, mask=over_target)
    cross, title = f"{b}.cross", "Cross-attention: {}"
    projections = "q = n W_q + b_q,  k = m W_k + b_k,  v = m W_v + b_v"
    with tape.stage(
        f"{cross}.qkv", title.format("q of the target, k, v of the source"), projections
    ):
        y = tape("add", x, out, name=f"{b}.residual", axes=ROWS, equation="x + out")
        norm = f"{b}.norm2" if pre else f"{b}.norm1"
        n = tape.norm(y, norm, eps=eps, name=norm, axes=ROWS, letter="x + out")  # (token, d)
        q = cut(tape, n, cross, "q", "n", heads)
        k, v = (cut(tape, m, cross, to, "m", heads) for to in "kv")
    out = attend(tape, q, k, v, name=cross, stages=cross, mask=across, title=title)
    y = y if pre else n
    return rest(tape, y, out, config, b=b, residual="cross.residual", norms=3, letter="y")
