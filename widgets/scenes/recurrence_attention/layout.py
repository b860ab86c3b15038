"""Where everything stands: a function of the box, the words and the heads, and of nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from engine.trace import Pair, Trace
from widgets.geometry import READ, SMALLEST, read_px, text_width
from widgets.glyphs import Box

if TYPE_CHECKING:
    from widgets.view import View

CLASSIC = (2, 5, 11, 4, 2)  # the numbers of the textbook picture; nobody computed them
GRID_KINDS = ("qkv", "scores", "softmax", "weighted_sum", "project", "rest")
QKV, SCORES, SOFTMAX, WEIGHTED_SUM, PROJECT, REST = range(1, 7)


Detail = Literal["full", "middle", "low", "map"]
MAP_TOKENS = 128  # that a map shows one by one; of more, the largest of each run
BRUSH = 64  # tokens that are opened out of a pooled map
HEADS_X, HEAD_R = 234.0, 11.5  # px, where the number of a head stands beside its nodes
MOST_DRAWN = 512  # tokens; of a longer text the first ones are drawn, and the stage says so


@dataclass(frozen=True)
class Layout:
    """Where everything stands in a box: a function of its size, the words and the heads only."""

    width: float
    height: float
    detail: Detail  # by px a word: circles, small circles, beads, maps
    left: float  # of the words' columns
    right: float
    pitch: float
    columns: tuple[float, ...]  # middle of each word's column
    node_y: float
    node_r: float
    strip: Box | None  # low and map detail: the states of all words as one map of columns
    words: tuple[float, float]  # top and bottom of the row of words
    word_width: float
    positions: tuple[float, float]
    heads: tuple[float, ...]  # y of each head's row
    grid_r: float
    bend: float  # highest arc
    concat: Box
    rest: Box
    chain_answer: Box
    grid_answer: Box
    context: Box
    neck: Box  # the strip within the neck
    foot: float  # y of the line above the foot
    read: float  # least size of what the class must read
    maps: tuple[Box, ...] = ()  # map detail: the attention of each head
    profile: Box = (0.0, 0.0, 0.0, 0.0)  # map detail: one row of one head as bars

    @property
    def notes(self) -> float:
        """Return the left edge of the notes at the right of the words."""
        return self.right + 18

    @property
    def edge(self) -> float:
        """Return the right edge of all content."""
        return self.width - 28

    @property
    def start(self) -> float:
        """Return the left edge of the first word."""
        return max(self.left, self.columns[0] - self.word_width / 2)

    @property
    def end(self) -> float:
        """Return the right edge of the last word."""
        return min(self.right, self.columns[-1] + self.word_width / 2)

    @property
    def grid_box(self) -> Box:
        """Return the box round all nodes, or all maps, of the grid."""
        if self.maps:
            x, y, _, side = self.maps[0]
            return (x - 9, y - 16, self.maps[-1][0] + side - x + 26, side + 25)
        top, bottom = self.heads[0] - 24, self.heads[-1] + 23
        return (self.start - 6, top, self.end - self.start + 12, bottom - top)

    @property
    def words_box(self) -> Box:
        """Return the box round the words and their positions."""
        above = 5 if self.detail == "map" else 8  # less where words are named over the row
        top, bottom = self.words[0] - above, self.positions[1] + 8
        return (self.start - 8, top, self.end - self.start + 16, bottom - top)


@lru_cache(maxsize=64)
def layout(tokens: int, heads: int, width: float, height: float) -> Layout:
    """Return the layout for so many words and heads in a box of at least SMALLEST."""
    spare = height - SMALLEST[1]
    top, low = 0.25 * spare, 0.92 * spare  # by which everything above, and below, the grid is lower
    read = read_px(height)
    larger = read - READ
    left, right = 256.0, width - 372
    pitch = (right - left) / tokens
    turned = max(14.0, 0.8 * read)  # px between words that stand upright
    detail: Detail = (
        "full" if pitch >= 90 else "middle" if pitch >= 43 else "low" if pitch >= turned else "map"
    )
    word_width = {"full": min(118.0, pitch - 22 + 3 * larger), "map": pitch}.get(detail, pitch - 6)
    if detail == "full" and tokens > 1:
        step = (right - left - word_width) / (tokens - 1)
        columns = tuple(left + word_width / 2 + i * step for i in range(tokens))
        if tokens < 5:  # keep few words near each other: the chain is read as a chain
            step = min(step, 160.0)
            start = (left + right) / 2 - step * (tokens - 1) / 2
            columns = tuple(start + i * step for i in range(tokens))
    else:
        step = pitch
        columns = tuple(left + pitch * (i + 0.5) for i in range(tokens))
    node_y, node_r, words, strip = {
        "full": (168.0, 35.0, (240.0, 270.0), None),
        "middle": (160.0, min(20.0, pitch * 0.42), (226.0, 271.0), None),
        "low": (180.0, min(6.5, pitch * 0.32), (192.0, 272.0), (left, 121.0, right - left, 49.0)),
        "map": (160.0, 42.0, (246.0, 268.0), (left, 118.0, right - left, 84.0)),
    }[detail]
    taller = {"middle": 2 * larger, "low": 4 * larger}.get(detail, 0.0)  # the row of words
    words = (words[0], words[1] + taller)
    if strip is not None:
        strip = (strip[0], strip[1] + top, strip[2], strip[3])
    first, last = 333.0 + top + taller + 2 * larger, 484.0 + low
    rows = tuple(
        first + (last - first) * (h / (heads - 1) if heads > 1 else 0.5) for h in range(heads)
    )
    row_pitch = (last - first) / max(heads - 1, 1)
    foot = height - 97
    maps, profile = _maps(heads, (left, first - 6, right - left, last - first + 29), detail)
    neck_y = node_y + top
    answer_y = 524 + low
    return Layout(
        width=width, height=height, detail=detail, left=left, right=right, pitch=step,
        columns=columns, node_y=node_y + top, node_r=node_r, strip=strip,
        words=(words[0] + top, words[1] + top), word_width=word_width,
        positions=(275 + top + taller, 301 + top + taller), heads=rows,
        grid_r={"full": 9.5, "middle": 8.0}.get(detail, min(5.0, pitch * 0.26)),
        bend=min(24.0, row_pitch * 0.5),
        concat=(left, 534 + low, right - left, 30),
        rest=(width - 358, answer_y + 3, 146, 52),
        chain_answer=(width - 192, neck_y - 41, 164, 82),
        grid_answer=(width - 192, answer_y - 8, 164, 82),
        context=(right + 37, 85 + top, 96, 14), neck=(right + 37, neck_y - 7, 96, 14),
        foot=foot, read=read, maps=maps, profile=profile,
    )  # fmt: skip


def _maps(heads: int, box: Box, detail: Detail) -> tuple[tuple[Box, ...], Box]:
    """Return a square for each head side by side, and the box of the bars below them."""
    if detail != "map":
        return (), (0.0, 0.0, 0.0, 0.0)
    x, y, width, height = box
    gap, under = 22.0, 30.0  # between two maps; for the line that names their axes
    side = min((width - 14 - gap * (heads - 1)) / heads, (height - under) * 0.66)
    step = (width - 14 - side) / max(heads - 1, 1)  # 14: for the last one's badge
    maps = tuple((x + step * h, y, side, side) for h in range(heads))
    top = y + side + under
    return maps, (x, top, width, y + height - top)


@dataclass(frozen=True)
class GridState:
    """Which block of the grid is on the stage, and how far it has come (0: not begun)."""

    block: int
    phase: int
    running: bool


def grid_state(trace: Trace, tick: int, layer: int | None) -> GridState:
    """Return what the grid shows at a tick: the running block, or the chosen one when all are."""
    if tick >= trace.last_tick:
        chosen = trace.facts.layers - 1 if layer is None else layer
        return GridState(min(chosen, trace.facts.layers - 1), REST, False)
    _, _, rest = trace.stage_at[tick].name.partition("blocks.")
    if not rest:
        return GridState(0, 0, False)
    block, _, kind = rest.partition(".")
    return GridState(int(block), GRID_KINDS.index(kind) + 1, True)


def tick_of_block(trace: Trace, tick: int, block: int) -> int:
    """Return the tick at which a block does what the grid's running block does at a tick.

    Before any runs it is where the block begins.
    """
    stage = trace.stage_at[tick].name
    kind = stage.rpartition(".")[2] if stage.startswith("blocks.") else GRID_KINDS[0]
    return trace.ticks[f"blocks.{block}.{kind}"]


def asking(pair: Pair, view: View) -> int:
    """Return which word asks in the grid: the chosen one, or else the hidden word."""
    return pair.grid.hidden if view.query is None else min(view.query, len(pair.tokens) - 1)


def place_of(pair: Pair, name: str, place: Layout) -> Box | None:
    """Return the box on the stage where an element of the traces is drawn, or None."""
    if name.startswith("ask:"):
        return next(iter(_word_boxes(pair, [int(name[4:])], place)), None)
    found = pair.find(name)
    if found is None:
        return None
    trace, step, index = found
    part = step.name
    if trace.facts.kind == "chain":
        read = re.fullmatch(r"rnn\..*\.(\d+)", part)
        if read:
            t = int(read[1])
            return state_box(t, place) if 1 <= t <= len(place.columns) else None
        if part == "attn.pattern" and index:
            return _weight_box(index[0], place) if index[0] < len(place.columns) else None
        if part == "attn.context":
            return place.context
        return place.chain_answer if part.startswith("answer.") else None
    if part == "embed.positions" and index and index[0] < len(place.columns):
        half = min(place.word_width / 2, place.pitch / 2 - 1)
        top, bottom = place.positions
        return (place.columns[index[0]] - half, top, 2 * half, bottom - top)
    if step.axes[:1] == ("head",) and index:
        if place.maps:
            return place.maps[index[0]]
        if len(index) == 1:
            y = place.heads[index[0]]
            return (HEADS_X - HEAD_R, y - HEAD_R, 2 * HEAD_R, 2 * HEAD_R)
        r = place.grid_r
        return (place.columns[index[1]] - r, place.heads[index[0]] - r, 2 * r, 2 * r)
    if part.endswith(".attn.out"):
        return place.concat
    if part.endswith(".x"):
        return place.rest if part.startswith("blocks.") else None
    return place.grid_answer if part.startswith("answer.") else None


def state_box(t: int, place: Layout) -> Box:
    """Return the box of hidden state t, from 1: its node, or its column of the strip."""
    cx, r = place.columns[t - 1], place.node_r
    if place.detail != "map":
        return (cx - r, place.node_y - r, 2 * r, 2 * r)
    assert place.strip is not None
    return (cx - place.pitch / 2, place.strip[1], place.pitch, place.strip[3])


def word_box(i: int, place: Layout) -> Box:
    """Return the box of a word."""
    half = place.word_width / 2 if place.detail in ("full", "map") else place.pitch / 2 - 1
    top, bottom = place.words
    return (place.columns[i] - half, top, 2 * half, bottom - top)


def _weight_box(i: int, place: Layout) -> Box:
    y = place.node_y + place.node_r + 6
    return (place.columns[i] + 2, y, min(44.0, place.pitch - 4), 20)


def box_of_word(pair: Pair, i: int, place: Layout) -> Box:
    """Return the box that is drawn round a word; where words stand in two rows, as wide as it is.

    ``word_box`` is then the column that it stands in.
    """
    x, y, width, height = word_box(i, place)
    if place.detail != "middle":
        return x, y, width, height
    text = "" if i == pair.grid.hidden else pair.typed[i]
    half = min(place.pitch - 2, max(22.0, text_width(text, place.read, 600) / 2 + 6))
    left = min(place.columns[i] - half, place.right + 8 - 2 * half)  # the notes begin there
    tall = height / 2
    return left, y + (i % 2) * (tall + 1.5), 2 * half, tall - 1.5


def _word_boxes(pair: Pair, words: Iterable[int], place: Layout) -> list[Box]:
    """Return the boxes of words, as far as they are drawn."""
    return [box_of_word(pair, i, place) for i in words if 0 <= i < len(place.columns)]


def read_boxes(pair: Pair, hovered: str, place: Layout) -> list[Box]:
    """Return where that stands which the hovered element reads."""
    found = pair.find(hovered)
    if found is None:
        return []
    trace, step, index = found
    side = trace.facts.kind
    words = range(len(place.columns))
    if side == "chain":
        if read := re.fullmatch(r"(rnn(?:\.back)?\.h)\.(\d+)", step.name):
            t = int(read[2])
            before = place_of(
                pair, f"chain:{read[1]}.{t - 1 if read[1] == 'rnn.h' else t + 1}", place
            )
            return [*([before] if before is not None else []), *_word_boxes(pair, [t - 1], place)]
        if step.name in ("attn.pattern", "attn.context"):
            states = [place_of(pair, f"chain:rnn.h.{i + 1}", place) for i in words]
            kept = index[0] if step.name == "attn.pattern" and index else None
            return [
                box for i, box in enumerate(states)
                if box is not None and (kept is None or i in (kept, len(words) - 1))
            ]  # fmt: skip
        if step.name.startswith("answer."):
            context = [place.context] if trace.facts.attention else []
            return [around(place.neck, 1), *context]
        return []
    if step.name == "embed.positions":
        return []
    if re.match(r"blocks\.\d+\.attn\.[qkv]\b", step.name) and len(index) >= 2:
        token = index[step.axes.index("token")]
        return _word_boxes(pair, [token], place) if ".0." in step.name else [place.rest]
    if step.axes[:1] == ("head",) and len(index) >= 2:
        head, query = index[:2]
        one = step.axes[2:] == ("key",) and len(index) == 3
        keys = (index[2],) if one else words
        if place.maps:
            return _word_boxes(pair, {*keys, query}, place) if one else []
        r = place.grid_r
        y = place.heads[head]
        return [(place.columns[k] - r, y - r, 2 * r, 2 * r) for k in {*keys, query}]
    if step.name.endswith(".attn.out"):
        return [around(place.grid_box, -4)]
    if step.name.startswith("blocks.") and step.name.endswith(".x"):
        return [place.concat]
    return [place.rest] if step.name.startswith("answer.") else []


def around(box: Box, pad: float) -> Box:
    """Return a box that is ``pad`` px larger on every side."""
    x, y, width, height = box
    return (x - pad, y - pad, width + 2 * pad, height + 2 * pad)
