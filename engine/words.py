"""Words into a model and out of it: a row of numbers for each token, and a word for a row.

E is the embedding table, axes (word, embedding); the answer is read against the same table.

Source: Press & Wolf 2017, "Using the output embedding to improve language models", section 3.
"""

from __future__ import annotations

from engine.ops import Array
from engine.tape import Tape, Tensor

ROWS = ("token", "feature")
FEATURE = ("feature",)
WORD = ("word",)


def embed(tape: Tape, ids: Array, *, name: str, tokens: str = "tokens") -> Tensor:
    """Return the row of E of every token, shape (token, feature), as the step ``name``.

    The ids are the step ``tokens``.
    """
    given = tape.input(ids, name=tokens, axes=("token",), equation="tokens")
    E = tape.parameter("embed.E")
    return tape("gather", E, given, name=name, axes=ROWS, equation="E_{tokens}")


def answer(tape: Tape, y: Tensor, axes: tuple[str, ...] = ()) -> None:
    """Record which word fits best: the row y, or every row, against every word's embedding.

    ``axes`` are those of y but for the last.
    """
    E, words = tape.parameter("embed.E"), (*axes, *WORD)
    name = "answer.logits"
    logits = tape("product", y, E, transpose_b=True, name=name, axes=words, equation="y E^⊤")
    p = tape("softmax", logits, name="answer.probabilities", axes=words, equation="softmax(y E^⊤)")
    tape("argmax", p, name="answer.word", axes=axes, equation="argmax(p)")
