"""The ordered list of steps, axes, stages and ticks of every model: an interface.

Scenes, captions and saved figures walk steps by these names. Whoever renames one changes this list
in the same commit.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.models import Config, Model, initialise, run
from engine.ops import Ops
from engine.trace import Trace

# Lines as "tick stage", then "    step axes …". {t} is a token from 1, {b} a block from 0.

EMBED_ELMAN = """
0 embed
    tokens token
    embed.x token feature
    rnn.x token hidden
    rnn.h.0 hidden
"""
# Both directions of two layers, T = 3: the directions of a layer read side by side, and the second
# layer waits for all of the first.
BOTH_LAYERS = """
0 embed
    tokens token
    embed.x token feature
    rnn.x token hidden
    rnn.back.x token hidden
    rnn.h.0 hidden
    rnn.back.h.4 hidden
    rnn.1.h.0 hidden
    rnn.1.back.h.4 hidden
1 read.1
    rnn.r.1 hidden
    rnn.x.1 hidden
    rnn.a.1 hidden
    rnn.h.1 hidden
2 read.2
    rnn.r.2 hidden
    rnn.x.2 hidden
    rnn.a.2 hidden
    rnn.h.2 hidden
3 read.3
    rnn.r.3 hidden
    rnn.x.3 hidden
    rnn.a.3 hidden
    rnn.h.3 hidden
1 read.back.3
    rnn.back.r.3 hidden
    rnn.back.x.3 hidden
    rnn.back.a.3 hidden
    rnn.back.h.3 hidden
2 read.back.2
    rnn.back.r.2 hidden
    rnn.back.x.2 hidden
    rnn.back.a.2 hidden
    rnn.back.h.2 hidden
3 read.back.1
    rnn.back.r.1 hidden
    rnn.back.x.1 hidden
    rnn.back.a.1 hidden
    rnn.back.h.1 hidden
4 join.1
    rnn.1.in.forward token hidden
    rnn.1.in.back token hidden
    rnn.1.in token hidden
    rnn.1.x token hidden
    rnn.1.back.x token hidden
5 read.1.1
    rnn.1.r.1 hidden
    rnn.1.x.1 hidden
    rnn.1.a.1 hidden
    rnn.1.h.1 hidden
6 read.1.2
    rnn.1.r.2 hidden
    rnn.1.x.2 hidden
    rnn.1.a.2 hidden
    rnn.1.h.2 hidden
7 read.1.3
    rnn.1.r.3 hidden
    rnn.1.x.3 hidden
    rnn.1.a.3 hidden
    rnn.1.h.3 hidden
5 read.1.back.3
    rnn.1.back.r.3 hidden
    rnn.1.back.x.3 hidden
    rnn.1.back.a.3 hidden
    rnn.1.back.h.3 hidden
6 read.1.back.2
    rnn.1.back.r.2 hidden
    rnn.1.back.x.2 hidden
    rnn.1.back.a.2 hidden
    rnn.1.back.h.2 hidden
7 read.1.back.1
    rnn.1.back.r.1 hidden
    rnn.1.back.x.1 hidden
    rnn.1.back.a.1 hidden
    rnn.1.back.h.1 hidden
8 look_back
    attn.states.forward token hidden
    attn.states.back token hidden
    attn.states token hidden
    rnn.last hidden
    attn.query hidden
    attn.scores token
    attn.pattern token
    attn.context hidden
"""
BOTH_ANSWER = """
4 answer
    rnn.last hidden
    answer.combined.product feature
    answer.combined.sum feature
    answer.combined feature
    answer.logits word
    answer.probabilities word
    answer.word
"""
# Read t of the second layer waits for read t of the first.
LAYERS_ELMAN = """
0 embed
    tokens token
    embed.x token feature
    rnn.x token hidden
    rnn.h.0 hidden
    rnn.1.h.0 hidden
"""
READ_ABOVE_ELMAN = """
{tick} read.1.{t}
    rnn.1.r.{t} hidden
    rnn.1.x.{t} hidden
    rnn.1.a.{t} hidden
    rnn.1.h.{t} hidden
"""
EMBED_GRU = """
0 embed
    tokens token
    embed.x token feature
    rnn.x token gates
    rnn.h.0 hidden
"""
EMBED_LSTM = """
0 embed
    tokens token
    embed.x token feature
    rnn.x token gates
    rnn.h.0 hidden
    rnn.c.0 hidden
"""
READ_ELMAN = """
{t} read.{t}
    rnn.r.{t} hidden
    rnn.x.{t} hidden
    rnn.a.{t} hidden
    rnn.h.{t} hidden
"""
READ_GRU = """
{t} read.{t}
    rnn.x.{t} gates
    rnn.from_x.{t} gates
    rnn.hh.{t} gates
    rnn.from_h.{t} gates
    rnn.r.from_x.{t} hidden
    rnn.z.from_x.{t} hidden
    rnn.n.from_x.{t} hidden
    rnn.r.from_h.{t} hidden
    rnn.z.from_h.{t} hidden
    rnn.n.from_h.{t} hidden
    rnn.r.a.{t} hidden
    rnn.r.{t} hidden
    rnn.z.a.{t} hidden
    rnn.z.{t} hidden
    rnn.n.reset.{t} hidden
    rnn.n.a.{t} hidden
    rnn.n.{t} hidden
    rnn.h.open.{t} hidden
    rnn.h.new.{t} hidden
    rnn.h.kept.{t} hidden
    rnn.h.{t} hidden
"""
READ_GRU_RESET_BEFORE = """
{t} read.{t}
    rnn.x.{t} gates
    rnn.from_x.{t} gates
    rnn.hh.{t} gates
    rnn.r.from_x.{t} hidden
    rnn.z.from_x.{t} hidden
    rnn.n.from_x.{t} hidden
    rnn.r.from_h.{t} hidden
    rnn.z.from_h.{t} hidden
    rnn.r.a.{t} hidden
    rnn.r.{t} hidden
    rnn.z.a.{t} hidden
    rnn.z.{t} hidden
    rnn.n.reset.{t} hidden
    rnn.n.from_h.{t} hidden
    rnn.n.a.{t} hidden
    rnn.n.{t} hidden
    rnn.h.open.{t} hidden
    rnn.h.new.{t} hidden
    rnn.h.kept.{t} hidden
    rnn.h.{t} hidden
"""
READ_LSTM = """
{t} read.{t}
    rnn.hh.{t} gates
    rnn.x.{t} gates
    rnn.a.{t} gates
    rnn.i.a.{t} hidden
    rnn.f.a.{t} hidden
    rnn.g.a.{t} hidden
    rnn.o.a.{t} hidden
    rnn.i.{t} hidden
    rnn.f.{t} hidden
    rnn.g.{t} hidden
    rnn.o.{t} hidden
    rnn.c.kept.{t} hidden
    rnn.c.new.{t} hidden
    rnn.c.{t} hidden
    rnn.c.tanh.{t} hidden
    rnn.h.{t} hidden
"""
LOOK_BACK = """
{tick} look_back
    attn.states token hidden
    attn.query hidden
    attn.scores token
    attn.pattern token
    attn.context hidden
"""
LOOK_BACK_DOT = """
{tick} look_back
    attn.states token hidden
    attn.scores token
    attn.pattern token
    attn.context hidden
"""
LOOK_BACK_CONCAT = """
{tick} look_back
    attn.states token hidden
    attn.asked token hidden
    attn.pairs token feature
    attn.energy.product token hidden
    attn.energy token hidden
    attn.scores token
    attn.pattern token
    attn.context hidden
"""
LOOK_BACK_ADDITIVE = """
{tick} look_back
    attn.states token hidden
    attn.query hidden
    attn.asked query hidden
    attn.keys token hidden
    attn.energy.sum token hidden
    attn.energy token hidden
    attn.scores token
    attn.pattern token
    attn.context hidden
"""
ANSWER_WITH_CONTEXT = """
{tick} answer
    answer.joined feature
    answer.combined.product feature
    answer.combined.sum feature
    answer.combined feature
    answer.logits word
    answer.probabilities word
    answer.word
"""
ANSWER_PLAIN = """
{tick} answer
    answer.combined.product feature
    answer.combined.sum feature
    answer.combined feature
    answer.logits word
    answer.probabilities word
    answer.word
"""
EMBED_SINUSOIDAL = """
0 embed
    tokens token
    embed.tokens token feature
    embed.positions token feature
    embed.x token feature
"""
EMBED_WITHOUT_POSITIONS = """
0 embed
    tokens token
    embed.tokens token feature
    embed.x token feature
"""
EMBED_LEARNED_CAUSAL = """
0 embed
    tokens token
    embed.tokens token feature
    embed.positions token feature
    embed.x token feature
    mask query key
"""
BLOCK_PRE = """
{1} blocks.{b}.qkv
    blocks.{b}.norm1 token feature
    blocks.{b}.attn.q.product token feature
    blocks.{b}.attn.q.sum token feature
    blocks.{b}.attn.q head token d_head
    blocks.{b}.attn.k.product token feature
    blocks.{b}.attn.k.sum token feature
    blocks.{b}.attn.k head token d_head
    blocks.{b}.attn.v.product token feature
    blocks.{b}.attn.v.sum token feature
    blocks.{b}.attn.v head token d_head
{2} blocks.{b}.scores
    blocks.{b}.attn.scores.product head query key
    blocks.{b}.attn.scores head query key
{3} blocks.{b}.softmax
    blocks.{b}.attn.pattern head query key
{4} blocks.{b}.weighted_sum
    blocks.{b}.attn.z head query d_head
{5} blocks.{b}.project
    blocks.{b}.attn.concat token feature
    blocks.{b}.attn.out.product token feature
    blocks.{b}.attn.out token feature
{6} blocks.{b}.rest
    blocks.{b}.residual token feature
    blocks.{b}.norm2 token feature
    blocks.{b}.mlp.pre.product token neuron
    blocks.{b}.mlp.pre token neuron
    blocks.{b}.mlp.act token neuron
    blocks.{b}.mlp.out.product token feature
    blocks.{b}.mlp.out token feature
    blocks.{b}.x token feature
"""
BLOCK_POST = """
{1} blocks.{b}.qkv
    blocks.{b}.attn.q.product token feature
    blocks.{b}.attn.q.sum token feature
    blocks.{b}.attn.q head token d_head
    blocks.{b}.attn.k.product token feature
    blocks.{b}.attn.k.sum token feature
    blocks.{b}.attn.k head token d_head
    blocks.{b}.attn.v.product token feature
    blocks.{b}.attn.v.sum token feature
    blocks.{b}.attn.v head token d_head
{2} blocks.{b}.scores
    blocks.{b}.attn.scores.product head query key
    blocks.{b}.attn.scores head query key
{3} blocks.{b}.softmax
    blocks.{b}.attn.pattern head query key
{4} blocks.{b}.weighted_sum
    blocks.{b}.attn.z head query d_head
{5} blocks.{b}.project
    blocks.{b}.attn.concat token feature
    blocks.{b}.attn.out.product token feature
    blocks.{b}.attn.out token feature
{6} blocks.{b}.rest
    blocks.{b}.residual token feature
    blocks.{b}.norm1 token feature
    blocks.{b}.mlp.pre.product token neuron
    blocks.{b}.mlp.pre token neuron
    blocks.{b}.mlp.act token neuron
    blocks.{b}.mlp.out.product token feature
    blocks.{b}.mlp.out token feature
    blocks.{b}.mlp.residual token feature
    blocks.{b}.x token feature
"""
ANSWER_GRID = """
{tick} answer
    answer.row feature
    answer.norm feature
    answer.logits word
    answer.probabilities word
    answer.word
"""

EMBED_TRANSLATOR = """
0 encoder.embed
    tokens token
    embed.tokens token feature
    embed.positions token feature
    embed.x token feature
0 decoder.embed
    decoder.tokens token
    decoder.embed.tokens token feature
    decoder.embed.positions token feature
    decoder.embed.x token feature
    decoder.mask query key
"""
ENCODER_NORM = """
{tick} encoder.norm
    encoder.norm token feature
"""
# Behind the project of BLOCK_PRE or BLOCK_POST, whose rest of the block is another.
CROSS_PRE = """
{1} decoder.blocks.{b}.cross.qkv
    decoder.blocks.{b}.residual token feature
    decoder.blocks.{b}.norm2 token feature
    decoder.blocks.{b}.cross.q.product token feature
    decoder.blocks.{b}.cross.q.sum token feature
    decoder.blocks.{b}.cross.q head token d_head
    decoder.blocks.{b}.cross.k.product token feature
    decoder.blocks.{b}.cross.k.sum token feature
    decoder.blocks.{b}.cross.k head token d_head
    decoder.blocks.{b}.cross.v.product token feature
    decoder.blocks.{b}.cross.v.sum token feature
    decoder.blocks.{b}.cross.v head token d_head
{2} decoder.blocks.{b}.cross.scores
    decoder.blocks.{b}.cross.scores.product head query key
    decoder.blocks.{b}.cross.scores head query key
{3} decoder.blocks.{b}.cross.softmax
    decoder.blocks.{b}.cross.pattern head query key
{4} decoder.blocks.{b}.cross.weighted_sum
    decoder.blocks.{b}.cross.z head query d_head
{5} decoder.blocks.{b}.cross.project
    decoder.blocks.{b}.cross.concat token feature
    decoder.blocks.{b}.cross.out.product token feature
    decoder.blocks.{b}.cross.out token feature
{6} decoder.blocks.{b}.rest
    decoder.blocks.{b}.cross.residual token feature
    decoder.blocks.{b}.norm3 token feature
    decoder.blocks.{b}.mlp.pre.product token neuron
    decoder.blocks.{b}.mlp.pre token neuron
    decoder.blocks.{b}.mlp.act token neuron
    decoder.blocks.{b}.mlp.out.product token feature
    decoder.blocks.{b}.mlp.out token feature
    decoder.blocks.{b}.x token feature
"""
CROSS_POST = (
    CROSS_PRE.replace(".norm2 ", ".norm1 ")
    .replace(".norm3 ", ".norm2 ")
    .replace(
        "    decoder.blocks.{b}.x ",
        "    decoder.blocks.{b}.mlp.residual token feature\n    decoder.blocks.{b}.x ",
    )
)


T = 3


def translator(block: str, cross: str, *, blocks: int, norm: bool) -> str:
    """Return the lines of a translator of a target of two tokens."""
    text = EMBED_TRANSLATOR
    for b in range(blocks):
        text += at_ticks(block.replace("blocks.", "encoder.blocks."), b, 6 * b)
    memory = 6 * blocks + norm
    if norm:
        text += ENCODER_NORM.replace("{tick}", str(memory))
    own, _, _ = block.replace("blocks.", "decoder.blocks.").partition("{6}")
    before, across = 0, memory
    for b in range(blocks):
        across = max(across, before + 5)
        text += at_ticks(own, b, before) + at_ticks(cross, b, across)
        before = across = across + 6
    return text + ANSWER_GRID.replace("{tick}", str(before + 1))


def at_ticks(block: str, b: int, before: int) -> str:
    """Return the lines of block b, whose stages have the ticks behind ``before``."""
    text = block.replace("{b}", str(b))
    for stage in range(1, 7):
        text = text.replace(f"{{{stage}}}", str(before + stage))
    return text


def chain(embed: str, read: str, *, attention: bool, look_back: str = LOOK_BACK) -> str:
    reads = "".join(read.replace("{t}", str(t)) for t in range(1, T + 1))
    if not attention:
        return embed + reads + ANSWER_PLAIN.replace("{tick}", str(T + 1))
    look_back = look_back.replace("{tick}", str(T + 1))
    return embed + reads + look_back + ANSWER_WITH_CONTEXT.replace("{tick}", str(T + 2))


def both(embed: str, read: str, answer: str) -> str:
    """Return the lines of one layer of both directions, without attention."""
    forward = "".join(read.replace("{t}", str(t)) for t in range(1, T + 1))
    back = ""
    for t in range(T, 0, -1):
        lines = read.replace("{t} read.", f"{T + 1 - t} read.back.").replace("rnn.", "rnn.back.")
        back += lines.replace("{t}", str(t))
    return embed + forward + back + answer


def layers() -> str:
    """Return the lines of two layers of the simple cell, with attention."""
    below = "".join(READ_ELMAN.replace("{t}", str(t)) for t in range(1, T + 1))
    above = "".join(
        READ_ABOVE_ELMAN.replace("{tick}", str(t + 1)).replace("{t}", str(t))
        for t in range(1, T + 1)
    )
    look_back, answer = (
        text.replace("{tick}", str(tick))
        for text, tick in ((LOOK_BACK, T + 2), (ANSWER_WITH_CONTEXT, T + 3))
    )
    return LAYERS_ELMAN + below + above + look_back + answer


EMBED_BOTH_LSTM = """
0 embed
    tokens token
    embed.x token feature
    rnn.x token gates
    rnn.back.x token gates
    rnn.h.0 hidden
    rnn.c.0 hidden
    rnn.back.h.4 hidden
    rnn.back.c.4 hidden
"""
EMBED_BOTH_GRU = """
0 embed
    tokens token
    embed.x token feature
    rnn.x token gates
    rnn.back.x token gates
    rnn.h.0 hidden
    rnn.back.h.4 hidden
"""


def grid(embed: str, block: str, *, blocks: int) -> str:
    text = embed
    for b in range(blocks):
        text += at_ticks(block, b, 6 * b)
    return text + ANSWER_GRID.replace("{tick}", str(6 * blocks + 1))


def a_chain(cell: str, *, attention: bool) -> Config:
    return Config(kind="chain", words=5, embedding=4, width=3, cell=cell, attention=attention)


PRE = Config(kind="grid", words=5, embedding=4, width=4, heads=2, layers=2, mlp=6)
POST = Config(
    kind="grid",
    words=5,
    embedding=4,
    width=4,
    heads=2,
    layers=1,
    mlp=6,
    norm="post",
    positions="learned",
    max_length=T,
    causal=True,
)
MODELS = {
    "rnn": (a_chain("elman", attention=True), chain(EMBED_ELMAN, READ_ELMAN, attention=True)),
    "rnn-plain": (
        a_chain("elman", attention=False),
        chain(EMBED_ELMAN, READ_ELMAN, attention=False),
    ),
    "gru": (a_chain("gru", attention=True), chain(EMBED_GRU, READ_GRU, attention=True)),
    **{
        f"rnn {score}": (
            replace(a_chain("elman", attention=True), score=score),
            chain(EMBED_ELMAN, READ_ELMAN, attention=True, look_back=look_back),
        )
        for score, look_back in (
            ("dot", LOOK_BACK_DOT),
            ("concat", LOOK_BACK_CONCAT),
            ("additive", LOOK_BACK_ADDITIVE),
        )
    },
    "gru reset before": (
        replace(a_chain("gru", attention=False), reset="before"),
        chain(EMBED_GRU, READ_GRU_RESET_BEFORE, attention=False),
    ),
    "lstm": (a_chain("lstm", attention=True), chain(EMBED_LSTM, READ_LSTM, attention=True)),
    "rnn both, two layers": (
        replace(a_chain("elman", attention=True), bidirectional=True, layers=2),
        BOTH_LAYERS + ANSWER_WITH_CONTEXT.replace("{tick}", "9"),
    ),
    "gru both": (
        replace(a_chain("gru", attention=False), bidirectional=True),
        both(EMBED_BOTH_GRU, READ_GRU, BOTH_ANSWER),
    ),
    "lstm both": (
        replace(a_chain("lstm", attention=False), bidirectional=True),
        both(EMBED_BOTH_LSTM, READ_LSTM, BOTH_ANSWER),
    ),
    "rnn of two layers": (replace(a_chain("elman", attention=True), layers=2), layers()),
    "transformer": (PRE, grid(EMBED_SINUSOIDAL, BLOCK_PRE, blocks=2)),
    "without positions": (
        replace(PRE, positions="none", activation="relu"),
        grid(EMBED_WITHOUT_POSITIONS, BLOCK_PRE, blocks=2),
    ),
    "translator": (
        replace(PRE, kind="translator"),
        translator(BLOCK_PRE, CROSS_PRE, blocks=2, norm=True),
    ),
    "translator post-norm": (
        replace(PRE, kind="translator", norm="post", layers=1),
        translator(BLOCK_POST, CROSS_POST, blocks=1, norm=False),
    ),
    "post-norm causal": (POST, grid(EMBED_LEARNED_CAUSAL, BLOCK_POST, blocks=1)),
}


def written(trace: Trace) -> list[str]:
    lines: list[str] = []
    stage = ""
    for step in trace.steps:
        if step.stage != stage:
            stage = step.stage
            lines.append(f"{trace.ticks[stage]} {stage}")
        lines.append(" ".join(["   ", step.name, *step.axes]))
    return lines


@pytest.mark.parametrize("name", MODELS)
def test_names_axes_stages_and_ticks_in_order(name: str) -> None:
    config, expected = MODELS[name]
    parameters = initialise(config, np.random.default_rng(0))
    model = Model(name, config, parameters, ("a", "b", "c", "d", "e"))
    target = [3, 4] if config.kind == "translator" else None
    trace = run(model, [1, 2, 0], hidden=2, ops=Ops(), target=target)
    assert written(trace) == [line for line in expected.splitlines() if line]
    assert [stage.name for stage in trace.stages] == [*dict.fromkeys(s.stage for s in trace.steps)]
