"""The scenes: pure, complete, legible, and each element of them an element of the traces."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import box_of, check_texts, flat, texts

from app.compute import make_pair
from engine.trace import Pair, Trace
from widgets import captions, theme
from widgets import numbers as numbers_module
from widgets.counters import ROLES, TOKENS, WHATS, crossing, depth_line, is_counter
from widgets.geometry import SMALLEST, STRIP_PX, fit_screen
from widgets.glyphs import MARK, in_line
from widgets.hit import bounds, hit, named
from widgets.picture import Cells, Ellipse, Group, Rect, Text
from widgets.scenes import SCENES
from widgets.scenes.recurrence_attention import recurrence_attention
from widgets.scenes.recurrence_attention.chain import chain
from widgets.scenes.recurrence_attention.chain import words as words_row
from widgets.scenes.recurrence_attention.frame import frame
from widgets.scenes.recurrence_attention.grid import grid, links
from widgets.scenes.recurrence_attention.layout import CLASSIC, around, layout, read_boxes
from widgets.scenes.recurrence_attention.motion import lit
from widgets.scenes.recurrence_attention.states import strips
from widgets.svg import svg
from widgets.view import Growth, Spread, Switch, View

GOLDENS = Path(__file__).parent / "goldens"
SENTENCES = {
    2: "cats ___",
    3: "the cat ___",
    5: "the cat that slept ___",
    8: "the dogs that the old teacher likes ___",
    12: "the small birds behind the big houses near the river ___ quietly",
    16: "the young teachers that the happy farmer follows ___ and the horses in the field graze",
}
SENTENCES[24] = f"{SENTENCES[12]} and the clever doctors that the painter likes see the lamps today"
SENTENCES[32] = f"{SENTENCES[24]} while the red candles under the table burn"
for tokens in (64, 128, 512):
    words = f"{SENTENCES[32]} and ".split() * 16
    words[tokens // 2 + 9 : tokens] = words[tokens // 2 + 8 : tokens - 1]
    SENTENCES[tokens] = " ".join("___" if i == tokens // 2 else w.replace("___", "chirp")
                                 for i, w in enumerate(words[:tokens]))  # fmt: skip
MODELS = (
    ("rnn", "transformer"), ("rnn-plain", "transformer"), ("lstm-50k", "transformer"),
    ("rnn-bi", "transformer-causal"),
)  # fmt: skip


@lru_cache(maxsize=32)
def pair_of(tokens: int, chain: str = "rnn", grid: str = "transformer") -> Pair:
    """Return a pair with times and threads that do not change from run to run."""
    pair = make_pair(SENTENCES[tokens], chain, grid).pair
    assert len(pair.tokens) == tokens
    return replace(pair, chain=steady(pair.chain, 71e-6), grid=steady(pair.grid, 310e-6))


def steady(trace: Trace, seconds: float) -> Trace:
    # A window that was open before has limited the threads.
    return replace(trace, facts=replace(trace.facts, threads=1), seconds=seconds)


def view_of(
    width: float = 1188, height: float = 728, name: str = "light", **chosen: object
) -> View:
    return View(width, height, theme.load(name), captions.load("en"), **chosen)  # type: ignore[arg-type]


# As measured somewhere once: that the plots have them, not what they are, is looked at here.
GROWTH = tuple(
    Growth(t, (8_000 * t, 90_000 * t + 400 * t * t), (30e-6 * t, 3e-4 + 1e-7 * t * t))
    for t in (1, 2, 5, 16, 32, 64, 128, 256, 512)
)
SWITCHES = tuple(
    Switch(name, True, reason)
    for name, reason in (("attention", ""), ("both", "no"), ("causal", ""), ("positions", ""),
                         ("trained", ""))
)  # fmt: skip
EVERY = [(t, m) for t in SENTENCES for m in (MODELS if t in (5, 12, 32, 128) else MODELS[:1])]


def spreads_of(tokens: int) -> tuple[Spread, ...]:
    """Return bars as wide as can be, none at the hidden word."""
    blank = pair_of(tokens).grid.hidden
    ones = tuple(math.nan if i == blank else 1.0 for i in range(tokens))
    shares = tuple(1.0 / tokens for _ in range(tokens))
    return (Spread("chain", "share", shares, 2), Spread("grid", "replaced", ones))


@pytest.mark.parametrize(("tokens", "models"), EVERY, ids=lambda v: str(v))
def test_no_text_is_small_or_cut_off_or_upon_another(tokens: int, models: tuple[str, str]) -> None:
    pair = pair_of(tokens, *models)
    for width, height in ((1188, 700), (1294, 728), (1700, 800), (1188, 830), (1188, 902)):
        for tick in {0, 1, 2, 3, 4, 5, tokens, tokens + 1, 13, pair.last_tick}:
            growth, spreads = (GROWTH, spreads_of(tokens)) if tick % 2 else ((), ())
            view = view_of(
                width, height, switches=SWITCHES, growth=growth, spreads=spreads,
                predicting=tick % 3 == 0, revealed=tick,
            )  # fmt: skip
            picture = recurrence_attention(pair, float(tick), view)
            boxes = [(t, box_of(t)) for t in texts(picture)]
            for text, (x0, y0, x1, y1) in boxes:
                assert text.size >= 14, text  # 12 px on a screen where the scene is smallest
                assert min(x0, y0) >= 0, text
                assert x1 <= picture.width, text
                assert y1 <= picture.height, text
            for (a, p), (b, q) in itertools.combinations(boxes, 2):
                across = min(p[2], q[2]) - max(p[0], q[0])
                down = min(p[3], q[3]) - max(p[1], q[1])
                assert across <= 1 or down <= 1, f"tick {tick}: {a.text!r} lies upon {b.text!r}"


@pytest.mark.parametrize("tokens", [3, 5, 8, 12, 16])
def test_whoever_asks_no_text_lies_upon_another_or_upon_a_node(tokens: int) -> None:
    pair = pair_of(tokens)
    for query, tick, layer in itertools.product(range(tokens), (3, 9, pair.last_tick), (0, 1)):
        view = view_of(query=query, layer=layer)
        picture = recurrence_attention(pair, float(tick), view)
        boxes = [(t, box_of(t)) for t in texts(picture)]
        for (a, p), (b, q) in itertools.combinations(boxes, 2):
            across = min(p[2], q[2]) - max(p[0], q[0])
            down = min(p[3], q[3]) - max(p[1], q[1])
            assert across <= 1 or down <= 1, f"query {query}: {a.text!r} lies upon {b.text!r}"
        for node in flat(picture.shapes):
            if not isinstance(node, Ellipse) or node.rx < 7 or not node.name.startswith("grid:"):
                continue
            for text, (x0, y0, x1, y1) in boxes:
                # The nearest point of the text is outside of the circle, or the text is in it.
                x, y = min(max(node.cx, x0), x1), min(max(node.cy, y0), y1)
                inside = math.hypot((x0 + x1) / 2 - node.cx, (y0 + y1) / 2 - node.cy) < 3
                free = math.hypot(x - node.cx, y - node.cy) > node.rx
                assert inside or free, f"query {query}: {text.text!r} lies upon {node.name}"


def numbers(value: object) -> Iterator[float]:
    if isinstance(value, float | int):
        yield float(value)
    elif isinstance(value, tuple):
        for part in value:
            yield from numbers(part)


@pytest.mark.parametrize("tokens", list(SENTENCES))
def test_every_name_is_an_element_or_an_action_at_every_tick(tokens: int) -> None:
    pair = pair_of(tokens)
    # A long chain's reads are alike: all ticks of the grid, some reads, and the end.
    halves = [*range(30), *range(30, 2 * pair.last_tick - 4, 97 if tokens > 32 else 1)]
    halves += range(max(2 * pair.last_tick - 4, 30), 2 * pair.last_tick + 1)
    for half in halves:
        for name in ("light", "dark"):
            picture = recurrence_attention(pair, half / 2, view_of(name=name, growth=GROWTH))
            for shape in flat(picture.shapes):
                for field in fields(shape):
                    assert all(map(math.isfinite, numbers(getattr(shape, field.name)))), shape
                found = getattr(shape, "name", "")
                if found:
                    assert shape.title or isinstance(shape, Text), f"{found} has no title"  # type: ignore[union-attr]
                    action = re.fullmatch(
                        r"(ask|hide|layer|head|brush|length):\d+|toggle:\w+|shorter|longer", found
                    )
                    known = action or is_counter(found) or pair.find(found)
                    assert known, f"{found} names nothing"


@pytest.mark.parametrize("controls", [True, False])
def test_every_counter_of_both_sides_can_be_reached_and_says_its_number(controls: bool) -> None:
    pair = pair_of(5)
    picture = recurrence_attention(pair, 0.0, view_of(growth=GROWTH, length=32, controls=controls))
    titles = {name: title for name, title, _ in named(picture) if is_counter(name)}
    assert set(titles) == {
        TOKENS, ROLES, *(f"count:{s}:{w}" for s in ("chain", "grid") for w in WHATS),
    }  # fmt: skip
    assert titles["count:chain:depth"].startswith(f"RNN, depth {pair.chain.depth}:")
    # The table tells what the marker stands at, and so does its title.
    row = next(row for row in GROWTH if row.tokens == 32)
    assert f", {numbers_module.count(row.flops[0])} FLOPs" in titles["count:chain:flops"]
    assert titles[TOKENS].startswith("T = 32:")


@pytest.mark.parametrize(
    "name", [TOKENS, ROLES, *(f"count:{s}:{w}" for s in ("chain", "grid") for w in WHATS)]
)
def test_an_open_counter_has_a_bar_beside_it_that_lies_upon_no_text(name: str) -> None:
    pair = pair_of(5, "lstm-50k")
    for width, height in ((1188, 700), (1700, 800)):
        shown = [
            set(flat(recurrence_attention(pair, 3.0, view_of(width, height, selected=s)).shapes))
            for s in ("", name)
        ]
        (bar,) = shown[1] - shown[0]
        assert isinstance(bar, Rect)
        assert bar.x > 0
        for text in shown[1]:
            if isinstance(text, Text) and text.text.strip():
                x0, y0, x1, y1 = box_of(text)
                beside = x1 <= bar.x or bar.x + bar.width <= x0
                assert beside or y1 <= bar.y or bar.y + bar.height <= y0, text


@pytest.mark.parametrize("tokens", [5, 12, 32, 64, 512])
def test_every_head_opens_by_its_number_and_its_score(tokens: int) -> None:
    pair = pair_of(tokens)
    trace = pair.grid
    for tick in (trace.ticks["blocks.1.softmax"], pair.last_tick):
        picture = recurrence_attention(pair, float(tick), view_of())
        shown = [shape for shape in flat(picture.shapes) if isinstance(shape, Text)]
        for head, (role, score) in enumerate(trace.facts.roles[1]):
            badges = [t for t in shown if t.text == str(head + 1) and t.size == 14.5]
            assert badges
            for badge in badges:
                opened = hit(picture, badge.x, badge.y - 5)
                assert opened in (f"grid:blocks.1.attn.pattern[{head}]", f"head:{head}")
            if role != "mixed":
                places = [t for t in shown if t.text == f"{score:.2f}" and t.anchor == "end"]
                assert places
                assert all(hit(picture, t.x - 5, t.y - 5) == ROLES for t in places)


def test_the_ring_round_a_map_leaves_its_number_readable() -> None:
    pair = pair_of(128)
    name = "grid:blocks.1.attn.pattern[3]"
    picture = recurrence_attention(pair, float(pair.last_tick), view_of(selected=name))
    shapes = list(flat(picture.shapes))
    ring = next(s for s in shapes if isinstance(s, Rect) and s.stroke_width == 2 and not s.fill
                and s.radius == 10.0)  # fmt: skip
    over = shapes[shapes.index(ring) + 1 :]
    assert any(isinstance(s, Ellipse) and s.name == "head:3" for s in over)
    assert any(isinstance(s, Text) and s.text == "4" and s.size == 14.5 for s in over)


def test_what_is_said_of_the_bars_opens() -> None:
    pair = pair_of(128)
    asks = pair.grid.hidden
    picture = recurrence_attention(pair, float(pair.last_tick), view_of(head=2))
    row = pair.grid.value("blocks.1.attn.pattern")[2, asks]
    opens = {
        shape.text: shape.name
        for shape in flat(picture.shapes)
        if isinstance(shape, Text) and shape.text.startswith(("most at", "token "))
    }
    assert set(opens.values()) == {
        f"grid:blocks.1.attn.pattern[2,{asks}]",
        f"grid:blocks.1.attn.pattern[2,{asks},{int(row.argmax())}]",
    }


def test_without_positions_no_head_has_a_role() -> None:
    pair = make_pair(SENTENCES[5], "rnn", "transformer", positions=False).pair
    picture = recurrence_attention(pair, float(pair.last_tick), view_of())
    said = [text.text for text in texts(picture)]
    assert said.count(captions.load("en")("role.unplaced")) == pair.grid.facts.heads
    roles = make_pair(SENTENCES[5], "rnn", "transformer").pair.grid.facts.roles[1]
    for role, score in roles:
        assert captions.load("en")(f"role.{role}") not in said
        assert f"{score:.2f}" not in said


def test_going_back_is_the_same_picture_to_the_bit() -> None:
    pair, view = pair_of(5), view_of()
    forward = [svg(recurrence_attention(pair, t, view)) for t in range(pair.last_tick + 1)]
    back = [svg(recurrence_attention(pair, t, view)) for t in reversed(range(pair.last_tick + 1))]
    assert forward == back[::-1]
    assert len(set(forward)) == len(forward)  # and no tick is drawn as another


def test_a_tick_reveals_one_state_and_the_whole_grid() -> None:
    pair = pair_of(5)

    def names(tick: int, prefix: str) -> set[str]:
        picture = recurrence_attention(pair, float(tick), view_of())
        return {n for s in flat(picture.shapes) if (n := getattr(s, "name", "")).startswith(prefix)}

    for tick in range(6):
        assert names(tick, "chain:rnn.h.") == {f"chain:rnn.h.{t}" for t in range(1, tick + 1)}
    queries = names(1, "grid:blocks.0.attn.q[")
    assert len({name for name in queries if "," in name}) == 25
    assert len(queries) == 25 + 5  # and all of a head by its number
    assert names(2, "grid:blocks.0.attn.pattern[") == set()  # scores are no weights yet
    assert len(names(3, "grid:blocks.0.attn.pattern[")) >= 25
    assert names(12, "grid:answer") == set()
    assert "grid:answer.word" in names(13, "grid:answer")


@pytest.mark.parametrize("tokens", [5, 12, 32, 64])
def test_a_chain_of_both_directions_reads_from_both_ends_at_once(tokens: int) -> None:
    pair = pair_of(tokens, "rnn-bi")
    for tick in (1, 2, tokens // 2, tokens):
        picture = recurrence_attention(pair, float(tick), view_of())
        seen = {n for n, *_ in named(picture)}  # which leaves out what is clipped away
        for t in range(1, tokens + 1):
            assert (f"chain:rnn.back.h.{t}" in seen) == (t > tokens - tick), (tick, t)
            assert (f"chain:rnn.h.{t}" in seen) == (t <= tick), (tick, t)


def test_numbers_under_the_nodes_are_the_weights_and_add_up_to_100() -> None:
    pair = pair_of(5)
    picture = recurrence_attention(pair, 6.0, view_of())
    under = {
        t.name: int(t.text.split()[0])
        for t in texts(picture)
        if t.name.startswith("chain:attn.pattern")
    }
    weights = pair.chain.value("attn.pattern")
    assert sum(under.values()) == 100
    for i, weight in enumerate(weights):
        assert abs(under[f"chain:attn.pattern[{i}]"] - 100 * weight) < 1


def test_a_chain_without_attention_shows_no_numbers_under_its_nodes() -> None:
    pair = pair_of(5, "rnn-plain")
    picture = recurrence_attention(pair, float(pair.last_tick), view_of())
    assert not [s for s in flat(picture.shapes) if "chain:attn" in getattr(s, "name", "")]


def test_the_classic_picture_shows_its_numbers_and_says_that_they_are_a_picture() -> None:
    picture = recurrence_attention(pair_of(5), 6.0, view_of(classic=True))
    shown = [t for t in texts(picture) if t.title == captions.load("en")("rt.classic_title")]
    assert [int(t.text) for t in shown] == list(CLASSIC)
    assert captions.load("en")("rt.classic_source") in [t.text for t in texts(picture)]


def test_growth_is_the_line_of_the_depths_of_the_graph() -> None:
    pair = pair_of(5)
    chain, grid = depth_line(pair, "chain"), depth_line(pair, "grid")
    assert chain is not None
    assert grid is not None
    assert chain[0] * 5 + chain[1] == pair.chain.depth
    assert grid == (0, pair.grid.depth)


@pytest.mark.parametrize("tokens", [5, 12, 32])
def test_the_marker_goes_round_one_node_and_round_the_whole_grid(tokens: int) -> None:
    pair, view = pair_of(tokens), view_of()
    picture = recurrence_attention(pair, 3.0, view)
    frames = [s for s in flat(picture.shapes) if getattr(s, "stroke", "") == view.theme.now_edge]
    node, grid = sorted(frames, key=lambda s: s.width)  # type: ignore[union-attr]
    assert node.width < 110  # type: ignore[union-attr]
    assert grid.width > 550  # type: ignore[union-attr]


SCREENS = (
    (1280, 720), (1600, 900), (1920, 1080), (1920, 1200), (1500, 1000), (1024, 768), (1400, 1050),
    (1280, 1024), (2560, 1080),
)  # fmt: skip


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("tokens", [5, 12, 32, 64, 128, 512])
def test_what_the_class_must_read_is_a_48th_of_the_screen_in_present(
    screen: tuple[int, int], tokens: int
) -> None:
    width, height, scale = fit_screen(screen[0], screen[1] - STRIP_PX, screen[1])
    pair = pair_of(tokens)
    view = view_of(width, height, controls=False, growth=GROWTH, spreads=spreads_of(tokens))
    picture = recurrence_attention(pair, float(pair.last_tick), view)
    must = [t for t in texts(picture) if t.read_by_class]
    if tokens <= 32:
        assert {t.text for t in must} >= {w for w in pair.typed if w != "___"}
    for text in must:
        assert text.size * scale >= screen[1] / 48 - 1e-9, text.text


def test_a_figure_has_no_switches() -> None:
    picture = recurrence_attention(pair_of(5), 13.0, view_of(controls=False))
    names = [getattr(s, "name", "") for s in flat(picture.shapes)]
    assert not [n for n in names if n.startswith(("toggle:", "layer:", "hide:"))]


CASES = [(5, 0), (5, 3), (5, 7), (5, 13), (12, 13), (32, 20)]


def golden(tokens: int, tick: int) -> Path:
    return GOLDENS / f"rnn-transformer-{tokens}-{tick}.svg"


def drawn(tokens: int, tick: int) -> str:
    view = view_of(controls=False)
    return svg(SCENES["rnn-transformer"](pair_of(tokens), float(tick), view))


@pytest.mark.parametrize(("tokens", "tick"), CASES)
def test_the_picture_is_the_golden_one(tokens: int, tick: int) -> None:
    """Compare numbers within 0.05 and colours within 4 of 255: processors round differently."""
    part = re.compile(r"#[0-9A-F]{6}|-?\d+(?:\.\d+)?")
    ours = drawn(tokens, tick).splitlines()
    theirs = golden(tokens, tick).read_text(encoding="utf-8").splitlines()
    for number, (a, b) in enumerate(zip(ours, theirs, strict=False), start=1):
        assert part.sub("0", a) == part.sub("0", b), f"line {number}"
        for x, y in zip(part.findall(a), part.findall(b), strict=True):
            if x.startswith("#"):
                channels = zip(bytes.fromhex(x[1:]), bytes.fromhex(y[1:]), strict=True)
                assert all(abs(m - n) <= 4 for m, n in channels), f"line {number}: {x}, {y}"
            else:
                assert abs(float(x) - float(y)) <= 0.05, f"line {number}: {x}, {y}"
    assert len(ours) == len(theirs)


def maps_of(pair: Pair, tick: float, **chosen: object) -> list[Cells]:
    picture = recurrence_attention(pair, tick, view_of(**chosen))  # type: ignore[arg-type]
    side = pair.grid.facts.heads
    found = [s for s in flat(picture.shapes) if isinstance(s, Cells) and len(s.colours) > 16]
    return [cells for cells in found if cells.width == cells.height][:side]


def test_where_nodes_have_no_room_each_head_is_a_map_of_its_weights() -> None:
    pair, ramp = pair_of(64), theme.load("light").ink_ramp
    pattern = pair.grid.value("blocks.1.attn.pattern")
    found = maps_of(pair, pair.last_tick)
    assert len(found) == 5
    for head, cells in enumerate(found):
        for q, k in ((0, 0), (33, 12), (63, 62), (int(pattern[head].argmax()) // 64, 5)):
            share = round(math.sqrt(pattern[head, q, k]) * (len(ramp) - 1))
            assert ramp.index(cells.colours[q][k]) in (share - 1, share, share + 1)
            x = cells.x + (k + 0.5) * cells.width / 64
            y = cells.y + (q + 0.5) * cells.height / 64
            if head == 1:
                picture = recurrence_attention(pair, pair.last_tick, view_of())
                assert hit(picture, x, y) == f"grid:blocks.1.attn.pattern[1,{q},{k}]"
    assert not maps_of(pair, 1)  # there is no score yet


def test_a_pooled_map_keeps_the_largest_and_a_stretch_of_it_can_be_opened() -> None:
    pair, ramp = pair_of(512), theme.load("light").ink_ramp
    pattern = pair.grid.value("blocks.0.attn.pattern")
    found = maps_of(pair, 3)
    assert {(len(c.colours), len(c.colours[0])) for c in found} == {(128, 128)}
    q, k = (int(i) for i in np.unravel_index(pattern[2].argmax(), pattern[2].shape))
    most = round(math.sqrt(pattern[2, q, k]) * (len(ramp) - 1))
    assert ramp.index(found[2].colours[q // 4][k // 4]) in (most - 1, most, most + 1)
    opened = maps_of(pair, 3, brush=192)
    assert (len(opened[2].colours), opened[2].rows[0], opened[2].columns[-1]) == (
        64,
        "2,192",
        "255",
    )
    share = round(math.sqrt(pattern[2, 200, 210]) * (len(ramp) - 1))
    assert ramp.index(opened[2].colours[8][18]) in (share - 1, share, share + 1)
    picture = recurrence_attention(pair, 3.0, view_of(brush=192))
    said = " ".join(text.text for text in texts(picture))
    assert "tokens 193 to 256" in said
    assert "largest of 4 × 4" in " ".join(
        text.text for text in texts(recurrence_attention(pair, 3.0, view_of()))
    )


def test_the_bars_below_the_maps_are_the_row_of_who_asks() -> None:
    pair = pair_of(128)
    picture = recurrence_attention(pair, float(pair.last_tick), view_of(query=7, head=3))
    row = pair.grid.value("blocks.1.attn.pattern")[3, 7]
    heights = {
        int(re.findall(r"\d+", s.name)[-1]): s.height
        for s in flat(picture.shapes)
        if isinstance(s, Rect) and s.name.startswith("grid:blocks.1.attn.pattern[3,7,")
    }
    assert len(heights) == 128
    best = int(row.argmax())
    for k, height in heights.items():
        expected = max(heights[best] * float(row[k] / row[best]), 0.5)
        assert height == pytest.approx(expected, abs=1e-3)


def test_the_marker_of_the_plots_moves_and_the_stage_stays() -> None:
    pair = pair_of(5)
    plain, moved = (
        recurrence_attention(pair, 3.0, view_of(growth=GROWTH, length=length))
        for length in (None, 128)
    )
    said = [text.text for text in texts(moved)]
    assert "the stage: 5" in said
    row = next(row for row in GROWTH if row.tokens == 128)
    assert numbers_module.count(row.flops[1]) in said
    assert numbers_module.seconds(row.seconds[0]) in said
    names = [
        [n for s in flat(p.shapes) if (n := getattr(s, "name", "")).startswith(("grid:", "chain:"))]
        for p in (plain, moved)
    ]
    assert names[0] == names[1]


@pytest.mark.parametrize("tokens", [5, 12, 32, 64])
def test_bars_at_the_words_are_as_long_as_what_the_word_does(tokens: int) -> None:
    values = tuple(math.nan if i == 1 else (i + 1) / tokens for i in range(tokens))
    spread = Spread("grid", "replaced", values)
    plain, barred = (
        recurrence_attention(pair_of(tokens), 3.0, view_of(spreads=spreads))
        for spreads in ((), (spread,))
    )
    before = {s for s in flat(plain.shapes) if isinstance(s, Rect)}
    added = [s for s in flat(barred.shapes) if isinstance(s, Rect) and s not in before]
    ink = theme.load("light").ink if tokens <= 32 else theme.load("light").ink2
    bars = {s.name: max(s.width, 0) if tokens <= 32 else s.height for s in added if s.fill == ink}
    assert "ask:1" not in bars
    assert len(bars) >= tokens - 2  # the shortest is no longer than nothing where boxes are narrow
    longest = bars[f"ask:{tokens - 1}"]
    if tokens not in (12,):  # there the boxes are as wide as their words
        for i in (2, tokens - 2):
            assert bars[f"ask:{i}"] == pytest.approx(longest * (i + 1) / tokens, abs=1e-6)
    said = " ".join(text.text for text in texts(barred))
    assert "moves with the word unknown" in said


@pytest.mark.parametrize("blank", [3, 590])
def test_of_more_than_512_tokens_the_first_are_drawn_and_all_are_counted(blank: int) -> None:
    words = (f"{SENTENCES[24]} and ".replace("___", "chirp") * 26).split()[:600]
    words[blank] = "___"
    for chain_id in ("rnn", "rnn-bi"):
        made = make_pair(" ".join(words), chain_id, "transformer")
        pair = made.pair
        assert len(pair.tokens) == 600
        for tick in (1, 3, 100, 512, 560, 600, pair.last_tick):
            view = view_of(spreads=(Spread("grid", "replaced", (0.5,) * 600),))
            picture = recurrence_attention(pair, float(tick), view)
            said = " ".join(text.text for text in texts(picture))
            assert "600 tokens: the first 512 are drawn" in said
            assert "T" in said
            assert str(pair.chain.depth) in said
            drawn = {n for n, *_ in named(picture) if n.startswith("ask:")}
            assert drawn == {f"ask:{i}" for i in range(512)}


@pytest.mark.parametrize("tokens", [3, 5, 12, 32])
def test_what_dims_a_head_lies_over_nothing_but_heads(tokens: int) -> None:
    pair = pair_of(tokens)
    for width, height in ((1188, 700), (1188, 902), (1700, 800)):
        view = view_of(width, height, switches=SWITCHES)
        tick = float(pair.last_tick)
        plain = recurrence_attention(pair, tick, view)
        pinned = recurrence_attention(pair, tick, view._replace(pinned_head=2))
        veils = set(flat(pinned.shapes)) - set(flat(plain.shapes))
        assert len(veils) == 8  # a row and a note of each other head
        titles = [text for text in texts(plain) if text.text in ("heads", "held-out score")]
        assert len(titles) == 2
        for veil, text in itertools.product(veils, titles):
            assert isinstance(veil, Rect)
            x0, y0, x1, y1 = box_of(text)
            across = min(x1, veil.x + veil.width) - max(x0, veil.x)
            down = min(y1, veil.y + veil.height) - max(y0, veil.y)
            assert across <= 0 or down <= 0, (text, veil)


@pytest.mark.parametrize("chain_id", ["rnn", "lstm-50k"])
def test_a_text_as_long_as_can_be_read_has_room_for_its_numbers(chain_id: str) -> None:
    pair = make_pair("the cat that slept " * 511 + "the cat that ___", chain_id, "transformer").pair
    assert len(pair.tokens) == 2048
    for width, height in ((1188, 728), (1600, 900), SMALLEST):
        for name in ("light", "contrast-dark"):
            view = view_of(width, height, name, growth=GROWTH, switches=SWITCHES)
            picture = recurrence_attention(pair, float(pair.last_tick), view)
            check_texts(picture, f"2048 tokens, {width} x {height}")
            said = [text.text for text in texts(picture)]
            assert f"grid: less from {crossing(pair)}" in said
            (sign,) = (text for text in texts(picture) if text.text == "−")
            length = max(box_of(t)[2] for t in texts(picture) if t.name == TOKENS)
            assert length < sign.x - 11.5  # not under the button
            (asks,) = (text for text in texts(picture) if text.text == "2048" and text.y < 400)
            marker = next(s for s in flat(picture.shapes) if isinstance(s, Rect)
                          and s.name == "chain:answer.word").x - 8  # fmt: skip
            assert box_of(asks)[2] <= marker


CHOICES: tuple[dict[str, Any], ...] = (
    {"hovered": "ask:1", "selected": "chain:rnn.h.2", "revealed": 2, "pinned_head": 1,
     "pinned_word": 1},
    {"layer": 0, "head": 2, "brush": 64},
    {"query": 1, "all_arcs": True},
    {"growth": (Growth(5, (90, 80), (1e-4, 3e-4)), Growth(64, (900, 8000), (1e-3, 2e-3))),
     "length": 64, "switches": (Switch("attention", True), Switch("positions", False, "why"))},
    {"classic": True},
)  # fmt: skip


@pytest.mark.parametrize("tokens", [5, 32, 128])
def test_a_part_is_drawn_from_every_choice_that_it_depends_on(tokens: int) -> None:
    """The scene gives each part a view without the choices of the others."""
    pair = pair_of(tokens)
    tick = pair.last_tick
    for chosen in (*CHOICES, {"spreads": (Spread("grid", "replaced", (0.5,) * tokens),)}):
        view = view_of(**chosen)
        place = layout(tokens, pair.grid.facts.heads, view.width, view.height)
        picture = recurrence_attention(pair, float(tick), view)
        parts = {s.slot: s for s in picture.shapes if isinstance(s, Group) and s.slot}
        grid_tick = min(tick, pair.grid.last_tick)
        chain_tick = min(tick, pair.chain.last_tick)
        wanted = {
            "frame": frame(pair, place, view),
            "words": words_row(pair, place, view),
            f"chain {chain_tick % 2}": chain(pair, chain_tick, place, view),
            f"links {grid_tick % 2}": links(pair, grid_tick, place, view),
            f"grid {grid_tick % 2}": grid(pair, grid_tick, place, view),
        }
        if place.strip is not None and place.detail == "map":
            wanted["strip 0"] = strips(pair, tick, place, view)[0]
        assert {slot: part.shapes for slot, part in parts.items()} == {
            slot: part.shapes for slot, part in wanted.items()
        }


@pytest.mark.parametrize(
    ("chosen", "tokens", "anew"),
    [
        ({"hovered": "ask:1"}, 128, set()),
        ({"pinned_head": 1}, 32, set()),
        ({"layer": 0}, 32, {"links", "grid"}),
        ({"head": 2}, 32, set()),
        ({"layer": 0}, 128, {"links", "grid"}),
        ({"head": 2}, 128, {"links", "grid"}),
        ({"length": 64}, 128, {"frame"}),
    ],
)
def test_a_choice_leaves_the_images_of_what_does_not_depend_on_it(
    chosen: dict[str, Any], tokens: int, anew: set[str]
) -> None:
    pair = pair_of(tokens)
    before, after = (
        {
            s.slot: s.cache_key
            for s in recurrence_attention(pair, float(pair.last_tick), view).shapes
            if isinstance(s, Group) and s.slot
        }
        for view in (view_of(), view_of(**chosen))
    )
    assert {slot.split()[0] for slot in before if before[slot] != after[slot]} == anew


@pytest.mark.parametrize("tokens", [32, 64, 512])
def test_per_cents_at_both_ends_of_the_strip_stay_over_it(tokens: int) -> None:
    pair = pair_of(tokens)
    asked = Spread("chain", "asked", (0.5, *(0.0,) * (tokens - 2), 0.5), tokens)
    view = view_of(1188, 700, switches=SWITCHES, spreads=(asked,))
    place = layout(tokens, pair.grid.facts.heads, 1188, 700)
    picture = recurrence_attention(pair, float(pair.last_tick), view)
    found = [text for text in texts(picture) if text.name.startswith("chain:attn.pattern[")]
    assert [text.text for text in found] == ["50 %", "50 %"]
    for text in found:
        x0, _, x1, _ = box_of(text)
        assert place.left - 1e-6 <= x0 <= x1 <= place.right + 1e-6


@pytest.mark.parametrize(
    ("name", "reads"),
    [("chain:rnn.h.3", ("chain:rnn.h.2", "ask:2")), ("chain:attn.pattern[1]",
     ("chain:rnn.h.2", "chain:rnn.h.5"))],
)  # fmt: skip
def test_what_an_opened_element_reads_is_lit_although_nothing_is_pointed_at(
    name: str, reads: tuple[str, ...]
) -> None:
    pair = pair_of(5)

    def dashed(**chosen: Any) -> list[Rect]:
        picture = recurrence_attention(pair, 13.0, view_of(**chosen))
        return [s for s in flat(picture.shapes) if isinstance(s, Rect) and s.dash == (5.0, 3.0)]

    rings = dashed(selected=name)
    assert rings == dashed(hovered=name)
    picture = recurrence_attention(pair, 13.0, view_of())
    places = {element: box for element, _, box in named(picture)}
    for read in reads:
        x, y, width, height = places[read]
        assert any(r.x <= x + width / 2 <= r.x + r.width and r.y <= y + height / 2 <= r.y + r.height
                   for r in rings)  # fmt: skip
    # What is pointed at goes before what is open.
    assert dashed(selected=name, hovered="chain:rnn.h.5") == dashed(hovered="chain:rnn.h.5")


@pytest.mark.parametrize("models", [("rnn", "transformer"), ("lstm-bi", "transformer-causal")])
@pytest.mark.parametrize("tokens", [3, 12, 32, 64])
def test_every_number_of_a_run_can_be_opened_on_the_stage(
    tokens: int, models: tuple[str, str]
) -> None:
    """The first and the last of each step, and its rows: also where nothing of it is drawn."""
    pair = pair_of(tokens, *models)
    view = view_of()
    place = layout(tokens, pair.grid.facts.heads, view.width, view.height)
    for trace in (pair.chain, pair.grid):
        for step in trace.steps:
            for ends in ((0,) * step.value.ndim, tuple(n - 1 for n in step.value.shape)):
                for i in range(step.value.ndim + 1):
                    brackets = f"[{','.join(map(str, ends[:i]))}]" if i else ""
                    name = f"{trace.facts.kind}:{step.name}{brackets}"
                    for shape in lit(pair, pair.last_tick, place, view._replace(selected=name)):
                        x0, y0, x1, y1 = bounds(shape) or (0, 0, 0, 0)
                        assert min(x0, y0) >= 0, name
                        assert x1 <= view.width, name
                        assert y1 <= view.height, name


@pytest.mark.parametrize("chain_id", ["rnn", "rnn-bi", "gru-bi", "lstm-50k"])
@pytest.mark.parametrize("tokens", [5, 12, 32, 128])
def test_no_words_stand_under_the_frame_round_what_works_now(tokens: int, chain_id: str) -> None:
    """Of the answer of the chain, beside which the neck and the context have their words."""
    pair = pair_of(tokens, chain_id, "transformer")
    tick = pair.chain.ticks["answer"]
    picture = recurrence_attention(pair, float(tick), view_of(1188, 700, switches=SWITCHES))
    place = layout(tokens, pair.grid.facts.heads, 1188, 700)
    x, y, width, height = around(place.chain_answer, 11)  # 7, and half of its line
    for text in texts(picture):
        x0, y0, x1, y1 = box_of(text)
        inside = x0 >= x + 8 and x1 <= x + width - 8
        apart = x1 <= x or x0 >= x + width or y1 <= y or y0 >= y + height
        assert inside or apart, text.text


@pytest.mark.parametrize("tokens", [3, 5, 12, 32, 64, 512])
def test_no_words_stand_under_the_frame_round_the_words_that_are_embedded(tokens: int) -> None:
    pair = pair_of(tokens)
    for width, height in (SMALLEST, (1188, 728), (1600, 900)):
        picture = recurrence_attention(pair, 0.0, view_of(width, height, query=1))
        x, y, wide, high = layout(tokens, pair.grid.facts.heads, width, height).words_box
        line = 2  # half of it
        for text in texts(picture):
            x0, y0, x1, y1 = box_of(text)
            inside = x0 >= x + line and x1 <= x + wide - line and y0 >= y and y1 <= y + high
            apart = x1 <= x - line or x0 >= x + wide + line or y1 < y - line or y0 > y + high + line
            assert inside or apart, text.text


@pytest.mark.parametrize("tokens", [5, 12, 16, 32])
def test_the_ring_of_a_word_goes_round_its_own_box(tokens: int) -> None:
    pair = pair_of(tokens)
    picture = recurrence_attention(pair, float(pair.last_tick), view_of())
    place = layout(tokens, pair.grid.facts.heads, 1188, 728)
    boxes = {name: box for name, _, box in named(picture)}
    for t in range(tokens):
        ring = read_boxes(pair, f"chain:rnn.h.{t + 1}", place)[-1]
        assert ring == pytest.approx(boxes[f"ask:{t}"], abs=3), pair.typed[t]


def test_a_word_that_is_read_from_the_right_turns_no_number_round() -> None:
    pair = make_pair("שלום עולם ___", "rnn", "transformer").pair
    picture = recurrence_attention(pair, float(pair.last_tick), view_of())
    found = [t.text for t in texts(picture) if t.name.startswith("grid:") and t.text[-1] == "%"]
    words = [text for text in found if "ם" in text]
    assert words
    for text in words:
        word, mark, share = text[1:].partition(MARK)
        assert text[0] == mark == MARK
        assert word in pair.tokens
        assert share.strip()[0].isdigit()
    assert in_line("cat") == "cat"


def test_a_weighted_sum_reads_from_every_word() -> None:
    pair = pair_of(3)
    place = layout(3, pair.grid.facts.heads, 1188, 728)
    for number in ("[2,1]", "[2,1,7]"):
        assert len(read_boxes(pair, f"grid:blocks.0.attn.z{number}", place)) == 3
    assert len(read_boxes(pair, "grid:blocks.0.attn.pattern[2,1,0]", place)) == 2


def test_a_selected_weight_is_ringed_in_its_map() -> None:
    pair = pair_of(64)
    name = "grid:blocks.1.attn.pattern[2,10,40]"
    plain, chosen = (
        recurrence_attention(pair, float(pair.last_tick), view_of(selected=selected))
        for selected in ("", name)
    )
    before = set(flat(plain.shapes))
    rings = [s for s in flat(chosen.shapes) if isinstance(s, Rect) and s not in before]
    (ring,) = (ring for ring in rings if not ring.dash)  # a dashed one is round what it reads
    assert ring.width < 15  # round the cell, and not round the whole map
    assert hit(chosen, ring.x + ring.width / 2, ring.y + ring.height / 2) == name
