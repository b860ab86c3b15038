"""The grid: a node for each word in each head, the links between them, and the folded rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.trace import Pair, Trace
from widgets.counters import ROLES, role_of
from widgets.geometry import text_width
from widgets.glyphs import arc, arrow, in_line, link_opacity, link_width, shortened
from widgets.numbers import percents
from widgets.picture import Command, Ellipse, Group, Path, Rect, Shape, Text
from widgets.remember import remembered
from widgets.scenes.recurrence_attention.frame import answer
from widgets.scenes.recurrence_attention.layout import (
    HEAD_R,
    HEADS_X,
    PROJECT,
    QKV,
    REST,
    SCORES,
    SOFTMAX,
    WEIGHTED_SUM,
    GridState,
    Layout,
    asking,
    grid_state,
)
from widgets.scenes.recurrence_attention.maps import maps, note_badge

if TYPE_CHECKING:
    from widgets.view import View

# The least weight of a link, and how many of a word are drawn (0: all), by detail. FAINT is the
# least weight for the links of words that do not ask.
LINKS = {"full": (0.0, 0), "middle": (0.05, 0), "low": (0.08, 2), "map": (0.0, 0)}
FAINT = 0.22


@remembered(24)
def grid(pair: Pair, tick: int, place: Layout, view: View) -> Group:
    """Return the grid's nodes, notes, folded rest and answer, as far as it is at a tick."""
    theme, trace = view.theme, pair.grid
    state = grid_state(trace, tick, view.layer)
    nodes = (
        maps(pair, state, place, view)
        if place.maps
        else [*_flow(trace, state, place, view), *_nodes(pair, state, place, view)]
    )
    shapes: list[Shape] = [
        *nodes,
        *_rest(trace, state, place, view),
        *answer(trace, tick >= trace.ticks["answer"], place.grid_answer, place.read, view),
    ]
    for head in range(trace.facts.heads):
        shapes += _head(pair, state, head, place, view)
    if view.controls:
        shapes += _blocks(trace, state, place, view)
    if tick == trace.last_tick and pair.last_tick > trace.last_tick:
        x, y, _, height = place.rest
        shapes.append(
            Text(x=x, y=y + height + 19, text=view.captions("rt.done", tick=tick), size=14,
                 weight=500, fill=theme.ink3)
        )  # fmt: skip
    return Group(shapes=tuple(shapes), cache_key=("grid", pair.key, tick, place, view))


def _flow(trace: Trace, state: GridState, place: Layout, view: View) -> list[Shape]:
    """Return the thin lines: each word's numbers fan out to the heads, and in again at concat."""
    theme = view.theme
    begun, gathered = state.phase >= QKV, state.phase >= PROJECT
    bottom, concat = place.positions[1], place.concat[1]
    heads = len(place.heads)
    r = place.grid_r
    spread = min(3.6, (place.pitch / 2 - r - 4) / (heads + 0.5))
    thin: Path
    shapes: list[Shape] = []
    for cx in place.columns:
        if spread < 1.0:  # no room for one line a head: one for all
            commands: tuple[Command, ...] = (("M", cx, bottom), ("L", cx, concat))
            thin = Path(commands=commands, stroke=theme.hair2 if begun else theme.ghost,
                        dash=() if begun else (2.0, 4.0))  # fmt: skip
            shapes.append(thin)
            continue
        for h, y in enumerate(place.heads):
            into = cx - r - 4 - spread * (h + 0.5)
            out = cx + r + 4 + spread * (heads - h - 0.5)
            turn = min(9.0, r)
            fan: tuple[Command, ...] = (
                ("M", cx, bottom), ("C", cx, bottom + 12, into, bottom + 6, into, bottom + 20),
                ("L", into, y - turn), ("Q", into, y, cx - r, y),
            )  # fmt: skip
            join: tuple[Command, ...] = (
                ("M", cx + r, y), ("Q", out, y, out, y + turn), ("L", out, concat - 20),
                ("C", out, concat - 8, cx, concat - 12, cx, concat),
            )  # fmt: skip
            for commands, solid in ((fan, begun), (join, gathered)):
                shapes.append(
                    Path(
                        commands=commands, stroke=theme.hair2 if solid else theme.ghost,
                        opacity=1.0 if solid else 0.6, dash=() if solid else (1.5, 3.0),
                    )
                )  # fmt: skip
    return shapes


@remembered(24)
def links(pair: Pair, tick: int, place: Layout, view: View) -> Group:
    """Return the attention of the block on the stage: links from who asks to what is looked at.

    While scores, softmax and weighted sum run, all words of all heads ask; afterwards one word's
    links are strong and the others faint, unless all are wanted. Where words stand close, only the
    links that ``LINKS`` allows are drawn, which the stage says.
    """
    trace = pair.grid
    state = grid_state(trace, tick, view.layer)
    key = ("links", pair.key, tick, place, view)
    if state.phase < SCORES or place.maps:
        return Group(shapes=(), cache_key=key)
    everybody = view.all_arcs or (state.running and state.phase <= WEIGHTED_SUM)
    asks, tokens = asking(pair, view), len(pair.tokens)
    weights = state.phase != SCORES  # a score is no weight yet: none of them is small
    rows = trace.value(f"blocks.{state.block}.attn.{'pattern' if weights else 'scores'}")
    least, a_word = LINKS[place.detail]
    nearest = (-rows).argsort(axis=-1, kind="stable")[..., : a_word or tokens].tolist()
    drawn: list[tuple[bool, float, Path]] = []
    for h in range(len(place.heads)):
        for q in range(tokens):
            strong = everybody or q == asks
            row, enough = rows[h, q].tolist(), least if strong else FAINT
            kept = [k for k in nearest[h][q] if k != q and not (weights and row[k] < enough)]
            shares = _shares(pair, state.block, h, q) if weights and kept else ()
            for k in kept:
                share = shares[k] if shares else -1
                look = _look(state, place, view, (h, row[k]), strong=strong)
                drawn.append(
                    (strong, row[k], _link(pair, state, place, view, (h, q, k), share, look))
                )
    # Heavier ones are drawn last; equal ones in their order, however the machine rounds.
    drawn.sort(key=lambda link: (link[0], round(link[1], 5)))
    return Group(shapes=tuple(path for *_, path in drawn), cache_key=key)


@remembered(8192)
def _shares(pair: Pair, block: int, head: int, query: int) -> tuple[int, ...]:
    """Return the whole per cents that a word gives to each word in a head."""
    return percents(pair.grid.value(f"blocks.{block}.attn.pattern")[head, query])


def _look(
    state: GridState, place: Layout, view: View, link: tuple[int, float], *, strong: bool
) -> dict[str, Any]:
    """Return how a link of a head is drawn: grey before softmax, then as heavy as it weighs."""
    theme, (head, weight) = view.theme, link
    if state.phase == SCORES:
        return {"stroke": theme.ink3, "stroke_width": 1.4, "opacity": 0.55 if strong else 0.15}
    if not strong:
        return {"stroke": theme.ink3, "stroke_width": 1.0, "opacity": 0.22}
    most = {"full": 6.0, "middle": 4.5}.get(place.detail, 3.0)
    return {
        "stroke": theme.heads[head % len(theme.heads)], "stroke_width": link_width(weight, most),
        "cap": "round", "opacity": link_opacity(weight),
    }  # fmt: skip


def _link(
    pair: Pair,
    state: GridState,
    place: Layout,
    view: View,
    index: tuple[int, int, int],
    share: int,
    look: dict[str, Any],
) -> Path:
    """Return the link of a head from query to key: above where it looks back, below ahead."""
    h, q, k = index
    far = abs(q - k) / max(len(pair.tokens) - 1, 1)
    bend = place.bend * (0.55 + 0.45 * far)
    scores = state.phase == SCORES
    tensor = "scores" if scores else "pattern"
    return Path(
        commands=arc(place.columns[q], place.columns[k], place.heads[h], bend if k < q else -bend),
        hit_width=6.0,
        name=f"grid:blocks.{state.block}.attn.{tensor}[{h},{q},{k}]",
        title=view.captions(
            "rt.score_title" if scores else "rt.link_title",
            head=h + 1, asks=pair.tokens[q], looked=pair.tokens[k], value=share,
        ),
        **look,
    )  # fmt: skip


def _nodes(pair: Pair, state: GridState, place: Layout, view: View) -> list[Shape]:
    """Return a node for each word in each head, filled by how large its weighted sum is."""
    theme, say, trace = view.theme, view.captions, pair.grid
    r, asks, block = place.grid_r, asking(pair, view), state.block
    tensor = {0: "", QKV: "q", SCORES: "scores", SOFTMAX: "pattern"}.get(state.phase, "z")
    z = trace.value(f"blocks.{block}.attn.z")
    lengths = (z.astype(float) ** 2).sum(axis=-1) ** 0.5  # (head, token)
    longest = float(lengths.max()) or 1.0
    pattern = trace.value(f"blocks.{block}.attn.pattern")
    shapes: list[Shape] = []
    for h, y in enumerate(place.heads):
        hue = theme.heads[h % len(theme.heads)]
        looked = int(pattern[h, asks].argmax()) if state.phase >= SOFTMAX else -1
        for i, cx in enumerate(place.columns):
            name = f"grid:blocks.{block}.attn.{tensor}[{h},{i}]" if tensor else ""
            title = (
                say(f"rt.node_{tensor}", head=h + 1, word=pair.tokens[i], block=block + 1)
                if tensor
                else ""
            )
            fill, line, thick = theme.stage, theme.hair2, 1.6
            dash: tuple[float, ...] = ()
            if not tensor:
                line, dash = theme.ghost, (2.0, 3.0)
            elif tensor == "z":
                fill = theme.ink_map(0.55 * float(lengths[h, i]) / longest)
            asks_here = i == asks and state.phase >= SCORES
            if i == looked and not asks_here:
                fill, line, thick = theme.stage, hue, 2.4
            if asks_here:
                fill, line, thick = hue, hue, 2.4
            shapes.append(
                Ellipse(cx=cx, cy=y, rx=r, ry=r, fill=fill, stroke=line,
                        stroke_width=min(thick, r * 0.4), dash=dash, name=name, title=title)
            )  # fmt: skip
            if asks_here and place.detail != "low":
                shapes.append(
                    Text(x=cx, y=y + 5, text="?", size=14, weight=700, fill=theme.on(hue),
                         anchor="middle")
                )  # fmt: skip
            elif i == looked and not asks_here:
                dot = r * 0.42
                shapes.append(Ellipse(cx=cx, cy=y, rx=dot, ry=dot, fill=hue))
            elif tensor in ("q", "scores"):
                bars: tuple[Command, ...] = tuple(
                    c for dx in (-0.36, 0.0, 0.36)
                    for c in (("M", cx + dx * r, y - r * 0.4), ("L", cx + dx * r, y + r * 0.4))
                )  # fmt: skip
                shapes.append(Path(commands=bars, stroke=theme.ink2, stroke_width=r * 0.2))
    return shapes


def _head(pair: Pair, state: GridState, head: int, place: Layout, view: View) -> list[Shape]:
    """Return a head's number at the left, and at the right what it does and what is seen of it."""
    theme, say, trace = view.theme, view.captions, pair.grid
    hue = theme.heads[head % len(theme.heads)]
    hue_text = theme.heads_text[head % len(theme.heads_text)]
    y, asks, block = place.heads[head], asking(pair, view), state.block
    tensor = {0: "", QKV: "q", SCORES: "scores"}.get(state.phase, "pattern")
    opens = f"grid:blocks.{block}.attn.{tensor}[{head}]" if tensor else ""
    shapes: list[Shape] = (
        note_badge(head, place, view)
        if place.maps
        else [
            Ellipse(cx=HEADS_X, cy=y, rx=HEAD_R, ry=HEAD_R, fill=hue, name=opens,
                    title=say("rt.head_matrix", head=head + 1, block=block + 1) if opens else ""),
            Text(x=HEADS_X, y=y + 5.2, text=str(head + 1), size=14.5, weight=700,
                 fill=theme.on(hue), anchor="middle"),
        ]
    )  # fmt: skip
    notes = place.notes + (32 if place.maps else 0)
    role, score = role_of(trace, block, head)
    shapes.append(
        Text(x=notes, y=y - 2, text=say(f"role.{role}"), size=place.read, weight=600, fill=hue_text,
             read_by_class=True)
    )  # fmt: skip
    if role not in ("mixed", "untrained", "unplaced"):
        shapes.append(
            Text(x=place.edge, y=y + 5, text=f"{score:.2f}", size=max(17, place.read), weight=600,
                 fill=theme.ink, anchor="end", name=ROLES, title=say("rt.held_out_title"),
                 read_by_class=True)
        )  # fmt: skip
    tokens = len(pair.tokens)
    if state.phase < SCORES:
        return shapes
    if state.phase == SCORES:
        text = say("rt.scores", count=tokens * tokens)
        shapes.append(Text(x=notes, y=y + 16, text=text, size=14, fill=theme.ink2))
        return shapes
    row = trace.value(f"blocks.{block}.attn.pattern")[head, asks]
    shares = _shares(pair, block, head, asks)
    best = int(row.argmax())
    word = shortened(pair.tokens[asks], 84, 14)
    asker = say("rt.hidden") if asks == trace.hidden else say("rt.quoted", word=word)
    lead = say("rt.looks", asks=asker) + " "
    target = say("rt.itself") if best == asks else (
        say("rt.hidden") if best == trace.hidden else pair.tokens[best]
    )  # fmt: skip
    shapes.append(Text(x=notes, y=y + 16, text=lead, size=14, fill=theme.ink2))
    room = 80 if place.maps else 110
    shapes.append(
        Text(
            x=notes + text_width(lead, 14), y=y + 16, size=14, weight=600, fill=theme.ink,
            text=f"{in_line(shortened(target, room, 14, 600))} "
                 f"{say('rt.percent', value=shares[best])}",
            name=f"grid:blocks.{block}.attn.pattern[{head},{asks},{best}]",
        )
    )  # fmt: skip
    itself = float(row[asks])
    if itself >= 0.10 and place.detail in ("full", "middle"):
        cx, r = place.columns[asks], place.grid_r
        top, low = y + r - 1, y + r + 15
        loop: tuple[Command, ...] = (
            ("M", cx + 4, top), ("C", cx + 12, low, cx - 12, low, cx - 4, top),
        )  # fmt: skip
        shapes.append(Path(commands=loop, stroke=hue, stroke_width=1 + 2 * itself, opacity=0.9))
        # In the middle detail there is no room for a sign, as under the states.
        bare = place.detail == "middle"
        text = str(shares[asks]) if bare else say("rt.percent", value=shares[asks])
        wide = text_width(text, 14, 600)
        # At the left of the loop, unless the grid ends there.
        start = cx - 11 - wide if asks else cx + 11
        shapes.append(
            Rect(x=start - 2, y=y + r - 4, width=wide + 4, height=15, radius=3,
                 fill=theme.stage, opacity=0.9)
        )  # fmt: skip
        shapes.append(
            Text(
                x=start, y=y + r + 8, size=14, weight=600, fill=hue_text, text=text,
                name=f"grid:blocks.{block}.attn.pattern[{head},{asks},{asks}]",
            )
        )  # fmt: skip
    return shapes


def _blocks(trace: Trace, state: GridState, place: Layout, view: View) -> list[Shape]:
    """Return a button for each block; the one on the stage is dark."""
    theme, say, layers = view.theme, view.captions, trace.facts.layers
    if layers == 1:
        return []
    y, label = place.concat[1] - 26, say("rt.block")
    shapes: list[Shape] = [Text(x=28, y=y + 16, text=label, size=14, weight=500, fill=theme.ink2)]
    x = 28 + text_width(label, 14, 500) + 10
    for layer in range(layers):
        on = layer == state.block
        shapes += [
            Rect(
                x=x, y=y, width=26, height=24, radius=7, fill=theme.ink if on else theme.stage,
                stroke=None if on else theme.hair2, stroke_width=1.25, name=f"layer:{layer}",
                title=say("rt.block_title", block=layer + 1),
            ),
            Text(x=x + 13, y=y + 17, text=str(layer + 1), size=14, weight=600, anchor="middle",
                 fill=theme.onink if on else theme.ink2),
        ]  # fmt: skip
        x += 31
    return shapes


def _rest(trace: Trace, state: GridState, place: Layout, view: View) -> list[Shape]:
    """Return concat and project, and the folded rest of the block, on the way to the answer."""
    theme, say, block = view.theme, view.captions, state.block
    projected, finished = state.phase >= PROJECT, state.phase >= REST
    x, y, width, height = place.concat
    shapes: list[Shape] = [
        Rect(
            x=x, y=y, width=width, height=height, radius=8,
            fill=theme.panel if projected else theme.stage,
            stroke=theme.ink2 if projected else theme.ghost, stroke_width=1.6 if projected else 1.3,
            dash=() if projected else (4.0, 4.0),
            name=f"grid:blocks.{block}.attn.out" if projected else "",
            title=say("rt.concat_title"),
        ),
        Text(
            x=x + width / 2, y=y + height / 2 + 0.36 * place.read, text=say("rt.concat"),
            size=place.read, anchor="middle",
            weight=600 if projected else 400, fill=theme.ink if projected else theme.ink3,
            read_by_class=True,
        ),
    ]  # fmt: skip
    rx, ry, rest_width, rest_height = place.rest
    for shift in (5, 0) if trace.facts.layers > 1 else (0,):
        shapes.append(
            Rect(
                x=rx + shift, y=ry - shift, width=rest_width, height=rest_height, radius=8,
                fill=theme.panel if finished else theme.stage,
                stroke=theme.ink2 if finished else theme.ghost, stroke_width=1.4,
                dash=() if finished else (4.0, 4.0),
                name=f"grid:blocks.{block}.x" if finished else "", title=say("rt.rest_title"),
            )
        )  # fmt: skip
    colour = theme.ink if finished else theme.ink3
    shapes += [
        Text(x=rx + 10, y=ry + 21, text=say("rt.rest"), size=14, weight=600, fill=colour),
        Text(x=rx + 10, y=ry + 41, text=say("rt.rest_parts"), size=14,
             fill=theme.ink2 if finished else theme.ink3),
        Text(x=rx + rest_width - 8, y=ry + 41, text=f"×{trace.facts.layers}", size=14, weight=700,
             fill=colour, anchor="end"),
        *arrow((x + width + 2, y + height / 2), (rx - 3, y + height / 2),
               theme.ink2 if finished else theme.ghost),
        *arrow((rx + rest_width + 6, y + height / 2), (place.grid_answer[0] - 3, y + height / 2),
               theme.ink2 if finished and not state.running else theme.ghost),
    ]  # fmt: skip
    return shapes
