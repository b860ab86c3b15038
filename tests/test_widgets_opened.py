"""One number, opened: true, legible and whole for every primitive of every model."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import fields, replace
from functools import lru_cache

import numpy as np
import pytest
from pictures import box_of, flat, texts

from app.compute import make_pair
from engine.models import Config, Model, initialise, run
from engine.ops import OPS, Ops
from engine.precision import PRECISIONS
from engine.trace import Pair, Step, Trace
from widgets import captions, theme
from widgets.explain import ROUNDING, agrees, explain
from widgets.geometry import STRIP_PX, fit_screen
from widgets.hit import bounds, hit
from widgets.picture import Cells, Picture, Rect
from widgets.scenes import SCENES
from widgets.scenes.opened import STAGE, crumbs, opened
from widgets.scenes.opened.parts import chosen
from widgets.scenes.opened.working import Opened, work
from widgets.view import View

SAY = captions.load("en")
SENTENCES = {
    3: "the cat ___",
    5: "the cat that slept ___",
    12: "the small birds behind the big houses near the river ___ quietly",
}
SENTENCES[32] = (
    f"{SENTENCES[12]} and the clever doctors that the painter likes see the lamps today while the "
    "red candles under the table burn"
)
CHAINS = ("rnn", "gru", "lstm")


@lru_cache(maxsize=16)
def pair_of(tokens: int, chain: str) -> Pair:
    return make_pair(SENTENCES[tokens], chain, "transformer").pair


def view_of(
    width: float = 1188, height: float = 700, name: str = "light", **chosen: object
) -> View:
    return View(width, height, theme.load(name), SAY, **chosen)  # type: ignore[arg-type]


def elements(pair: Pair) -> Iterator[tuple[Trace, Step, tuple[int, ...]]]:
    """Yield one number of each primitive, with each kind of axes and of name."""
    seen: set[object] = set()
    for trace in (pair.chain, pair.grid):
        for step in trace.steps:
            kind = (step.op, step.axes, len(step.reads), *(part for part in step.name.split(".")
                                                           if not part.isdigit()))  # fmt: skip
            if kind not in seen:
                seen.add(kind)
                yield trace, step, tuple((2 * n) // 3 for n in step.value.shape)


def name_of(trace: Trace, step: Step, index: tuple[int, ...]) -> str:
    place = f"[{','.join(map(str, index))}]" if index else ""
    return f"{trace.facts.kind}:{step.name}{place}"


def numbers(value: object) -> Iterator[float]:
    if isinstance(value, float | int):
        yield float(value)
    elif isinstance(value, tuple):
        for part in value:
            yield from numbers(part)


def check(pair: Pair, name: str, view: View) -> Picture:
    """Check that a picture is legible, whole and sound, and return it."""
    picture = opened(pair, name, view)
    boxes = [(t, box_of(t)) for t in texts(picture)]
    for text, (x0, y0, x1, y1) in boxes:
        assert text.size >= 14, (name, text.text)
        assert min(x0, y0) >= 0, (name, text.text)
        assert x1 <= picture.width, (name, text.text)
        assert y1 <= picture.height, (name, text.text)
    for (a, p), (b, q) in itertools.combinations(boxes, 2):
        across = min(p[2], q[2]) - max(p[0], q[0])
        down = min(p[3], q[3]) - max(p[1], q[1])
        assert across <= 1 or down <= 1, f"{name}: {a.text!r} lies upon {b.text!r}"
    for shape in flat(picture.shapes):
        for field in fields(shape):
            assert all(map(math.isfinite, numbers(getattr(shape, field.name)))), (name, shape)
        if isinstance(shape, Rect | Cells):
            assert shape.width > 0, (name, shape)
            assert shape.height > 0, (name, shape)
            assert shape.x >= 0, (name, shape)
            assert shape.x + shape.width <= picture.width, (name, shape)
            assert shape.y + shape.height <= picture.height, (name, shape)
        if found := getattr(shape, "name", ""):
            assert found == STAGE or pair.find(found), f"{name}: {found} names nothing"
            assert shape.title, f"{name}: {found} has no title"  # type: ignore[union-attr]
    return picture


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("tokens", SENTENCES)
def test_every_kind_of_number_is_drawn_legibly(tokens: int, chain: str) -> None:
    pair = pair_of(tokens, chain)
    for trace, step, index in elements(pair):
        for view in (view_of(), view_of(1188, 902), view_of(1400, 728, "dark")):
            check(pair, name_of(trace, step, index), view)


@pytest.mark.parametrize("chain", CHAINS)
def test_what_is_shown_recomputes_to_what_is_stored(chain: str) -> None:
    pair = pair_of(5, chain)
    for trace, step, index in elements(pair):
        working = work(Opened(trace, step, index, SAY))
        found = explain(trace, step, index)
        largest = float(np.abs(step.value[np.isfinite(step.value)]).max(initial=0))
        assert working.result == pytest.approx(found.recomputed, rel=1e-6, abs=1e-6 * largest)
        assert agrees(step, found.value, working.result), name_of(trace, step, index)
        assert any(s.own for s in working.scalars) or len(working.scalars) == 1 or (
            step.op in ("input", "softmax", "norm")
        )  # fmt: skip


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_in_half_precision_its_rounding_is_no_error(precision: str) -> None:
    pair = make_pair(SENTENCES[5], "gru", "transformer", precision=precision).pair
    rounding = PRECISIONS[precision].rounding
    assert ROUNDING[precision] == 4 * rounding
    worst = 0.0
    for trace, step, index in elements(pair):
        (said,) = [
            text.text
            for text in texts(opened(pair, name_of(trace, step, index), view_of(1700, 800)))
            if text.text.startswith(("recomputed", SAY("opened.not_computed")[:9]))
        ]
        assert "more than rounding" not in said
        assert not said.startswith("recomputed") or precision in said or "exactly" in said
        found = explain(trace, step, index)
        largest = float(np.abs(step.value[np.isfinite(step.value)]).max(initial=0))
        worst = max(worst, abs(found.value - found.recomputed) / max(largest, 1e-9))
    assert ROUNDING["float32"] < worst < ROUNDING[precision]


def test_the_opened_number_stands_in_its_chain_once() -> None:
    for chain in CHAINS:
        pair = pair_of(5, chain)
        for trace, step, index in elements(pair):
            name = name_of(trace, step, index)
            scalars = work(Opened(trace, step, index, SAY)).scalars
            assert [s.name for s in scalars].count(name) == 1, name
            assert [s.name for s in scalars if s.own] == [name]
            assert len(scalars) <= 5


def test_a_number_that_is_not_its_formula_is_said_in_words() -> None:
    pair = pair_of(5, "rnn")
    step = pair.grid.step("blocks.0.attn.scores")
    wrong = step.value.copy()
    wrong[4, 4, 1] += 0.01
    steps = tuple(replace(s, value=wrong) if s is step else s for s in pair.grid.steps)
    broken = replace(pair, grid=replace(pair.grid, steps=steps))
    name = "grid:blocks.0.attn.scores[4,4,1]"
    view = view_of()
    (right,) = [t for t in texts(opened(pair, name, view)) if t.text.startswith("recomputed")]
    (said,) = [t for t in texts(opened(broken, name, view)) if t.text.startswith("recomputed")]
    assert "the same but for rounding" in right.text
    assert "more than rounding" in said.text
    assert said.fill == view.theme.error != right.fill


def test_only_rounding_is_taken_for_rounding() -> None:
    step = pair_of(5, "rnn").grid.step("blocks.0.attn.scores")
    largest = float(np.abs(step.value).max())
    allowed = ROUNDING[step.value.dtype.name] * largest
    assert agrees(step, 1.0, 1.0 + 0.9 * allowed)
    assert not agrees(step, 1.0, 1.0 + 1.1 * allowed)
    assert agrees(step, -math.inf, -math.inf)
    assert not agrees(step, -math.inf, 0.0)
    assert not agrees(step, math.nan, 0.0)


def test_every_primitive_can_be_opened() -> None:
    shown = {step.op for chain in CHAINS for _, step, _ in elements(pair_of(5, chain))}
    missing = OPS.keys() - shown
    for op in missing:  # a function of one number, or what is told in words
        assert op not in ("product", "softmax", "norm"), op


SMALL = Config(kind="chain", words=9, embedding=8, width=12, cell="elman", attention=True)
GRID = Config(kind="grid", words=9, embedding=20, width=20, heads=5, layers=2, mlp=30)
OTHERS = {
    "layers, both directions": (replace(SMALL, layers=2, bidirectional=True), GRID),
    "reset before": (replace(SMALL, cell="gru", reset="before"), replace(GRID, causal=True)),
    "dot": (replace(SMALL, score="dot", cell="lstm"), replace(GRID, activation="relu")),
    "concat": (replace(SMALL, score="concat"), replace(GRID, activation="gelu_erf", norm="post")),
    "additive": (
        replace(SMALL, score="additive"), replace(GRID, positions="learned", max_length=8),
    ),
    "narrow": (replace(SMALL, width=1, embedding=1), replace(GRID, embedding=1, width=1, heads=1)),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_every_other_model_opens_as_well(name: str) -> None:
    pair = made(*OTHERS[name])
    for trace, step, index in elements(pair):
        check(pair, name_of(trace, step, index), view_of())
        result = work(Opened(trace, step, index, SAY)).result
        assert agrees(step, float(step.value[index]), result), name_of(trace, step, index)


def made(*configs: Config) -> Pair:
    words = ("<pad>", "<unk>", "___", "the", "cat", "that", "dog", "slept", "fell")
    rng = np.random.default_rng(0)
    chain, grid = (
        run(Model("it", c, initialise(c, rng), words), (3, 4, 5, 7, 2), hidden=4, ops=Ops())
        for c in configs
    )
    return Pair(chain, grid, typed=chain.tokens, unknown=(False,) * 5)


WIDE = (8, 40, 160, 309, 768)


@pytest.mark.parametrize("width", WIDE)
def test_nothing_overflows_however_wide_a_vector_is(width: int) -> None:
    heads = 8 if width == 768 else 1
    pair = made(
        Config(kind="chain", words=9, embedding=8, width=width, cell="gru", attention=True),
        Config(kind="grid", words=9, embedding=width, width=width, heads=heads, layers=1, mlp=16),
    )
    for trace, step, index in elements(pair):
        check(pair, name_of(trace, step, index), view_of())


@pytest.mark.parametrize("name", ["grid:blocks.0.attn.pattern[2,4,1]", "chain:rnn.h.3[4]"])
@pytest.mark.parametrize("look", ["light", "dark"])
def test_one_yellow_frame_goes_round_the_opened_number(name: str, look: str) -> None:
    pair, view = pair_of(5, "rnn"), view_of(name=look)
    picture = opened(pair, name, view)
    yellow = {view.theme.now, view.theme.now_edge, view.theme.now_soft}
    (frame,) = [
        s for s in flat(picture.shapes)
        if {getattr(s, "fill", ""), getattr(s, "stroke", "")} & yellow
    ]  # fmt: skip
    assert isinstance(frame, Rect)
    x, y = frame.x + frame.width / 2, frame.y + frame.height / 2
    assert hit(picture, x, y) == name


def test_the_frame_goes_round_what_the_name_says() -> None:
    pair, view = pair_of(5, "rnn"), view_of()
    areas = []
    for index in ("", "[2]", "[2,4]", "[2,4,1]"):
        picture = check(pair, f"grid:blocks.0.attn.scores{index}", view)
        (frame,) = [s for s in flat(picture.shapes)
                    if getattr(s, "stroke", "") == view.theme.now_edge]  # fmt: skip
        assert isinstance(frame, Rect)
        areas.append(frame)
    tensor, matrix, row, cell = areas
    assert matrix.height > row.height == cell.height
    assert matrix.width == row.width > cell.width
    assert tensor.y < matrix.y


def test_chips_lead_up_to_the_stage() -> None:
    pair = pair_of(5, "rnn")
    found = pair.find("grid:blocks.0.attn.scores[4,4,1]")
    assert found is not None
    way = crumbs(Opened(*found, SAY), found[2])
    scores = "grid:blocks.0.attn.scores"
    assert [name for _, name in way] == [
        STAGE, scores, f"{scores}[4]", f"{scores}[4,4]", f"{scores}[4,4,1]",
    ]  # fmt: skip
    picture = opened(pair, f"{scores}[4,4,1]", view_of())
    drawn = {t.text for t in texts(picture)}
    assert {words for words, _ in way} <= drawn


def test_a_dot_product_shows_its_pairs_and_what_they_add_up_to() -> None:
    pair = pair_of(5, "rnn")
    grid = pair.grid
    found = pair.find("grid:blocks.0.attn.scores[4,3,1]")
    assert found is not None
    working = work(Opened(*found, SAY))
    q, k = (grid.value(f"blocks.0.attn.{x}").astype(float)[4] for x in "qk")
    a, b, products = ([n.value for n in row.numbers] for row in working.rows)
    assert a == list(q[3])
    assert b == list(k[1])
    assert products == pytest.approx(list(q[3] * k[1]))
    assert working.result == pytest.approx(float(q[3] @ k[1]) / math.sqrt(8), rel=1e-6)
    assert [s.before for s in working.scalars] == ["", "−", "=", "÷ √8", "softmax"]
    above, below, product, score, weight = (s.value for s in working.scalars)
    assert above - below == pytest.approx(product, rel=1e-5)
    assert weight == grid.value("blocks.0.attn.pattern")[4, 3, 1]
    assert score == grid.value("blocks.0.attn.scores")[4, 3, 1]


def test_a_softmax_row_shows_shares_of_one_whole() -> None:
    pair = pair_of(12, "rnn")
    found = pair.find("grid:blocks.1.attn.pattern[1,3,2]")
    assert found is not None
    working = work(Opened(*found, SAY))
    shares = working.rows[2].numbers
    assert math.fsum(s.value for s in shares) == pytest.approx(1)
    stored = pair.grid.value("blocks.1.attn.pattern")[1, 3]
    assert [s.value for s in shares] == pytest.approx(stored.tolist(), rel=1e-4, abs=1e-6)
    assert [s.label for s in shares] == list(pair.tokens)


def test_the_cells_of_a_long_softmax_row_are_said_to_be_what_they_are() -> None:
    pair = pair_of(32, "rnn")
    row = pair.grid.value("blocks.1.attn.pattern")[0, 5]
    for own in (int(row.argmin()), int(row.argmax())):
        picture = opened(pair, f"grid:blocks.1.attn.pattern[0,5,{own}]", view_of())
        said = [text.text for text in texts(picture)]
        (words,) = (line for line in said if line.startswith("cells: "))
        shown = int(re.findall(r"\d+", words)[0])
        assert words == SAY("opened.largest_numbers", shown=shown, count=32)
        # The opened number is there, however small it is, and the largest are.
        places = set(chosen(32, shown, own, row.tolist()))
        assert len(places) == shown
        assert own in places
        assert places - {own} <= set(np.argsort(-row)[:shown].tolist())


def test_a_gated_state_shows_gate_and_candidate_and_adds_up() -> None:
    pair = pair_of(5, "gru")
    found = pair.find("chain:rnn.h.3[4]")
    assert found is not None
    working = work(Opened(*found, SAY))
    (new, kept) = working.terms
    assert [letters for letters, _, _ in (*new.factors, *kept.factors)] == [
        "(1 − z_3)", "n_{3}", "z_{3}", "h_{2}",
    ]  # fmt: skip
    z = kept.factors[0][2].value
    assert new.factors[0][2].value == pytest.approx(1 - z, abs=1e-6)
    assert working.result == pytest.approx(float(pair.chain.value("rnn.h.3")[4]), abs=1e-6)


def test_a_norm_shows_mean_and_spread() -> None:
    pair = pair_of(5, "rnn")
    found = pair.find("grid:blocks.0.norm1[2,7]")
    assert found is not None
    working = work(Opened(*found, SAY))
    row = pair.grid.value(found[1].reads[0])[2].astype(float)
    assert working.facts["mean"] == pytest.approx(row.mean())
    assert working.facts["spread"] == pytest.approx(math.sqrt(row.var() + found[1].told["eps"]))


@pytest.mark.parametrize(
    "screen",
    [(1280, 720), (1600, 900), (1920, 1200), (1500, 1000), (1024, 768), (1280, 1024), (2560, 1080)],
)
def test_what_the_class_must_read_is_a_48th_of_the_screen_in_present(
    screen: tuple[int, int],
) -> None:
    width, height, scale = fit_screen(screen[0], screen[1] - STRIP_PX, screen[1])
    pair = pair_of(5, "gru")
    for trace, step, index in elements(pair):
        picture = opened(pair, name_of(trace, step, index), view_of(width, height))
        must = [t for t in texts(picture) if t.read_by_class]
        assert len(must) >= 4
        for text in must:
            assert text.size * scale >= screen[1] / 48 - 1e-9, text.text


def test_the_value_under_the_pointer_is_said() -> None:
    pair = pair_of(32, "rnn")
    name = "grid:blocks.0.attn.scores[1,30,14]"
    plain = texts(opened(pair, name, view_of()))
    hovered = "grid:blocks.0.attn.scores[1,3,4]"
    found = check(pair, name, view_of(hovered=hovered))
    (said,) = set(texts(found)) - set(plain)
    assert said.text.startswith("head 2, “behind”, “the”: ")
    cells = [s for s in flat(found.shapes) if isinstance(s, Cells) and s.index]
    (matrix,) = cells
    x = matrix.x + matrix.width * 4.5 / 32
    y = matrix.y + matrix.height * 3.5 / 32
    assert hit(found, x, y) == hovered


def test_the_legend_comes_from_the_data() -> None:
    pair = pair_of(5, "rnn")
    scores = {t.text for t in texts(opened(pair, "grid:blocks.0.attn.scores[0,0,0]", view_of()))}
    largest = np.abs(pair.grid.value("blocks.0.attn.scores")).max()
    assert {f"{largest:.3g}", f"−{largest:.3g}"} <= scores
    weights = {t.text for t in texts(opened(pair, "grid:blocks.0.attn.pattern[0,0,0]", view_of()))}
    assert {"0 %", "100 %", "square-root scale"} <= weights


def test_the_scene_of_the_table_opens_what_is_selected() -> None:
    pair = pair_of(5, "rnn")
    name = "chain:rnn.h.2[3]"
    view = view_of(selected=name)
    assert SCENES["opened"](pair, 3.0, view) == opened(pair, name, view)
    with pytest.raises(KeyError):
        opened(pair, "chain:nothing[0]", view)


@pytest.mark.parametrize(
    ("name", "numbers"),
    [("grid:embed.x[0]", 40), ("grid:blocks.0.attn.scores[1,2]", 5), ("chain:rnn.h.3", 16),
     ("grid:blocks.1.attn.pattern[0,4]", 5), ("chain:answer.probabilities", 309)],
)  # fmt: skip
def test_a_row_or_vector_that_is_opened_has_the_marker_round_all_of_its_numbers(
    name: str, numbers: int
) -> None:
    pair = pair_of(5, "rnn")
    picture = SCENES["opened"](pair, 0.0, view_of(selected=name))
    light = theme.load("light")
    marks = [s for s in flat(picture.shapes) if getattr(s, "stroke", None) == light.now]
    boxes = [box for mark in marks if (box := bounds(mark)) is not None]
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, bottom = max(box[2] for box in boxes), max(box[3] for box in boxes)
    found = {
        element
        for y in np.arange(top + 4, bottom - 4, 2.0)
        for x in np.arange(left + 4, right - 4, 2.0)
        if (element := hit(picture, float(x), float(y))).startswith(name.rstrip("]"))
    }
    assert len(found - {name}) == numbers
