"""Chapter 3's scene: pure, complete, legible, and true to what was measured and what was not."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import fields, replace
from functools import lru_cache
from pathlib import Path

import pytest
from pictures import box_of, flat, texts

from engine import parts
from engine.crossover import band
from engine.race import (
    BRANCHES,
    COUNTS,
    ITEMS,
    LAYERS,
    LENGTHS,
    OPS,
    SIZES,
    Branching,
    Length,
    Machine,
    Measured,
    Outputs,
    Point,
    Rates,
)
from engine.race_lengths import counted
from widgets import captions, numbers, race_pages, theme
from widgets.geometry import fit, fit_screen
from widgets.hit import hit, named
from widgets.picture import Cells, Picture, Rect
from widgets.picture import Path as Line
from widgets.scenes import SCENES
from widgets.scenes.cpu_gpu import PAGES, Race, cpu_gpu
from widgets.scenes.cpu_gpu.layout import EDGE, place_for
from widgets.scenes.cpu_gpu.race import LANE
from widgets.scenes.cpu_gpu.sizes import band_words, lines, verdict
from widgets.scenes.cpu_gpu.subject import MOST_TOKENS, chosen
from widgets.scenes.cpu_gpu.volume import EXAMPLES, table
from widgets.svg import svg
from widgets.view import View

GOLDENS = Path(__file__).parent / "goldens"
SAY = captions.load("en")
STRIP_PX = 62
H100 = parts.load("h100")


@lru_cache(maxsize=4)
def measured(gpu: bool = False) -> Measured:
    """Return times of a machine that there is not: a product at 100 GFLOP/s, a call at 1 µs."""
    sizes = []
    for n in SIZES:
        if n <= 64:
            sizes.append(Point("product", "python", n, 0.3e-6 + n**3 * 45e-9))
        if n <= 2048:
            sizes.append(Point("product", "one", n, 0.8e-6 + 2 * n**3 / 1e11))
            sizes.append(Point("product", "all", n, 0.9e-6 + 2 * n**3 / 3.4e11))
        if n <= 512:
            sizes.append(Point("map", "python", n, 0.2e-6 + n * n * 23e-9))
        sizes.append(Point("map", "one", n, 0.2e-6 + n * n * 0.1e-9))
        if n <= 1024:
            sizes.append(Point("chain", "python", n, n * 17e-6))
        sizes.append(Point("chain", "one", n, 0.5e-6 + n * 0.72e-6))
        if gpu:
            sizes.append(Point("product", "gpu", n, 9e-6 + 2 * n**3 / 5e13))
    branches = [
        Branching(b, by, items, items * (b + 1) * 40e-9 + 1e-7 if by == "python"
                  else (5 * b + 1) * (0.7e-6 + items * 0.6e-9))
        for b in BRANCHES for by in ITEMS for items in ITEMS[by]
    ]  # fmt: skip
    lengths = [
        Length(layer, T, {"elman": 3.5e-6 * T, "gru": 15e-6 * T}.get(layer, 8e-5 + 1.2e-8 * T * T))
        for layer in LAYERS for T in LENGTHS
    ]  # fmt: skip
    return Measured(
        Machine("a CPU", 8, "NumPy 2.4.6, openblas 0.3.31", "3.12"), "2026-11-24",
        Rates(1e11, 3.4e11, 3e10, 2e10, 0.2e-6, 1e-8), tuple(sizes),
        tuple(Outputs(n, n * 0.86e-6, 3e-6 + n * 5e-9) for n in COUNTS), tuple(branches),
        tuple(lengths), True, "a GPU" if gpu else "",
    )  # fmt: skip


def weights(tokens: int, heads: int = 5) -> tuple[tuple[tuple[float, ...], ...], ...]:
    """Return rows that sum to 1, each with its own shape."""
    sheets = []
    for head in range(heads):
        rows = []
        for i in range(tokens):
            raw = [
                math.exp(2.2 * math.sin(1 + 1.7 * head + 2.3 * i + 3.1 * j)) for j in range(tokens)
            ]
            rows.append(tuple(w / sum(raw) for w in raw))
        sheets.append(tuple(rows))
    return tuple(sheets)


WORDS = ("the", "cat", "that", "slept", "___", "near", "a", "very", "old", "and", "grey", "river")
FULL = object()


def subject(tokens: int = 5, *, known: Measured | None | object = FULL, **given: object) -> Race:
    made = Race(
        words=WORDS[:tokens], weights=weights(tokens), asks=min(1, tokens - 1), head=3, block=2,
        measured=measured() if known is FULL else known, part=H100,  # type: ignore[arg-type]
    )  # fmt: skip
    return replace(made, **given)  # type: ignore[arg-type]


def view_of(width: float = 1188, height: float = 728, name: str = "light", **given: object) -> View:
    return View(width, height, theme.load(name), SAY, **given)  # type: ignore[arg-type]


CASES = ((2, "light"), (8, "light"), (14, "dark"), (26, "light"), (37, "dark"))


def golden(tick: int, name: str) -> Path:
    return GOLDENS / f"cpu-gpu-{tick}-{name}.svg"


def drawn(tick: int, name: str) -> str:
    return svg(cpu_gpu(subject(), float(tick), view_of(name=name)))


@pytest.mark.parametrize(("tick", "name"), CASES)
def test_the_picture_is_the_golden_one(tick: int, name: str) -> None:
    assert drawn(tick, name) == golden(tick, name).read_text(encoding="utf-8")


VARIANTS: tuple[dict[str, object], ...] = (
    {}, {"op": "map", "resident": False}, {"op": "chain", "graph": True}, {"known": None},
    {"known": measured(True)}, {"progress": 0.4}, {"part": parts.load("rtx4090")},
    {"part": parts.load("t4"), "resident": False},
)  # fmt: skip


def legible(picture: Picture, where: str) -> None:
    boxes = [(t, box_of(t)) for t in texts(picture)]
    for text, (x0, y0, x1, y1) in boxes:
        assert text.size >= 14, f"{where}: {text}"
        assert min(x0, y0) >= 0, f"{where}: {text}"
        assert x1 <= picture.width, f"{where}: {text}"
        assert y1 <= picture.height, f"{where}: {text}"
    for (a, p), (b, q) in itertools.combinations(boxes, 2):
        across = min(p[2], q[2]) - max(p[0], q[0])
        down = min(p[3], q[3]) - max(p[1], q[1])
        assert across <= 1 or down <= 1, f"{where}: {a.text!r} lies upon {b.text!r}"


@pytest.mark.parametrize("given", VARIANTS, ids=lambda g: "-".join(map(str, g)) or "plain")
@pytest.mark.parametrize("size", [(1188, 700), (1294, 728), (1188, 840), (1700, 800)])
def test_no_text_is_small_or_cut_off_or_upon_another(
    size: tuple[int, int], given: dict[str, object]
) -> None:
    made = subject(**given)  # type: ignore[arg-type]
    first = made.pages
    for tick in (0, 3, *range(first.race, first.sizes), *range(first.sizes, first.last + 1, 3)):
        for controls in (True, False):
            legible(cpu_gpu(made, float(tick), view_of(*size, controls=controls)), f"tick {tick}")


@pytest.mark.parametrize("given", VARIANTS, ids=lambda g: "-".join(map(str, g)) or "plain")
@pytest.mark.parametrize("size", [(1188, 728), (1700, 800)])
def test_the_marker_of_now_lies_upon_no_name_which_stay_where_they_are(
    size: tuple[int, int], given: dict[str, object]
) -> None:
    made = subject(**given)  # type: ignore[arg-type]
    view = view_of(*size)
    x, y, width, height = place_for(*size).plot
    places = set()
    for tick in range(made.pages.sizes, made.pages.lengths):
        picture = cpu_gpu(made, float(tick), view)
        names = [(t.text, box_of(t)) for t in texts(picture) if x <= t.x and y < t.y < y + height
                 and t.x < x + width]  # fmt: skip
        places.add(tuple(names))
        marker = [s for s in flat(picture.shapes) if isinstance(s, Line)
                  and s.stroke == view.theme.now and s.stroke_width > 2]  # fmt: skip
        parts = [[c[2] for c in part.commands] for part in marker]  # type: ignore[misc]
        assert sum(bottom - top for top, bottom in parts) > height / 3
        for part, (top, bottom) in zip(marker, parts, strict=True):
            at = part.commands[0][1]  # type: ignore[misc]
            for words, (left, above, right, below) in names:
                beside = at + 3 < left or right < at - 3
                assert beside or below < top or bottom < above, (tick, words)
    assert len(places) == 1


@pytest.mark.parametrize(
    ("each", "numbered"), [(0.86e-6, True), (0.68e-6, True), (0.64e-6, False), (0.5e-6, False)]
)
def test_either_every_box_of_a_lane_says_its_number_or_none(each: float, numbered: bool) -> None:
    """A weight of 100 % is as wide as a box may be narrow, and is not left out alone."""
    known = measured()
    slower = replace(known, outputs=tuple(Outputs(n, n * each, 3e-6) for n in COUNTS))
    one = tuple(float(j == 2) for j in range(5))
    sharp = tuple((rows[0], one, *rows[2:]) for rows in weights(5))
    made = subject(known=slower, weights=sharp)
    view = view_of()
    picture = cpu_gpu(made, float(made.pages.sizes - 1), view)
    legible(picture, "the race")
    boxes = [s for s in flat(picture.shapes) if isinstance(s, Rect) and s.height == LANE
             and s.stroke == view.theme.seq]  # fmt: skip
    assert len(boxes) > 40
    middles = {(round(box.x + box.width / 2, 3), box.y + box.height / 2 + 5) for box in boxes}
    said = [t.text for t in texts(picture) if (round(t.x, 3), t.y) in middles]
    assert len(said) == (len(boxes) if numbered else 0)
    assert ("100" in said) == numbered


@pytest.mark.parametrize("tokens", [1, 2, 3, 8, 12])
def test_any_number_of_tokens_is_legible(tokens: int) -> None:
    for resident in (True, False):
        made = subject(tokens, resident=resident)
        first = made.pages
        for tick in (0, 1, 3, first.race, first.race + 5, first.sizes - 1, first.last):
            for size in ((1188, 700), (1188, 840)):
                legible(cpu_gpu(made, float(tick), view_of(*size)), f"T={tokens} tick {tick}")


def finite(value: object) -> bool:
    if isinstance(value, float | int):
        return math.isfinite(value)
    return all(map(finite, value)) if isinstance(value, tuple) else True


ACTIONS = re.compile(
    r"choose:op:(product|map|chain)|choose:data:(resident|copied)|choose:launch:(single|graph)"
    r"|page:(sizes|lengths)"
)


@pytest.mark.parametrize("name", theme.NAMES)
def test_every_name_has_a_title_and_a_page_or_does_something(name: str) -> None:
    made = subject()
    for half in range(2 * made.last_tick + 1):
        picture = cpu_gpu(made, half / 2, view_of(name=name))
        for shape in flat(picture.shapes):
            assert all(finite(getattr(shape, field.name)) for field in fields(shape)), shape
        for found, title, _ in named(picture):
            assert title, found
            assert ACTIONS.fullmatch(found) or race_pages.is_element(made, found), found


def test_nonsense_names_are_no_elements() -> None:
    made = subject()
    for name in ("", "weight:p[9,0,0]", "weight:p[0,0,5]", "shape:cube", "lane:tpu:0", "lane:cpu:3",
                 "point:product:one:3", "point:sort:one:2", "band:", "volume:3:1", "volume:4",
                 "boundary:x", "length:lstm:8", "op:mlp", "point:product"):  # fmt: skip
        assert not race_pages.is_element(made, name), name


def test_going_back_is_the_same_picture_to_the_bit() -> None:
    made, view = subject(), view_of()
    ticks = range(made.last_tick + 1)
    forward = [svg(cpu_gpu(made, float(t), view)) for t in ticks]
    back = [svg(cpu_gpu(made, float(t), view)) for t in reversed(ticks)]
    assert forward == back[::-1]
    assert len(set(forward)) == len(forward)


def test_ticks_outside_are_moved_to_the_nearer_end() -> None:
    made, view = subject(), view_of()
    assert cpu_gpu(made, -3.0, view) == cpu_gpu(made, 0.0, view)
    assert cpu_gpu(made, 999.0, view) == cpu_gpu(made, float(made.last_tick), view)


def test_pages_follow_one_another_and_the_clock_goes_on() -> None:
    made = subject()
    pages = [made.page(t) for t in range(made.last_tick + 1)]
    assert list(dict.fromkeys(pages)) == list(PAGES)
    clock = [made.clock(t / 4) for t in range(4 * made.pages.race, 4 * made.pages.sizes + 1)]
    assert clock[0] == 0
    assert clock == sorted(clock)
    assert clock[-1] == pytest.approx(made.end)
    assert made.in_order is not None
    assert made.end >= made.in_order[2]


def test_the_same_outputs_are_done_on_both_and_counted_by_the_clock() -> None:
    made = subject()
    assert made.counts == (5, 25, 125)
    for tick in range(made.pages.race, made.pages.sizes):
        said = [t.text for t in texts(cpu_gpu(made, float(tick), view_of()))]
        now = made.clock(tick)
        assert made.in_order is not None
        for row, count in enumerate(made.counts):
            total = made.in_order[row]
            done = count if now >= total else int(now / (total / count) + 1e-6)
            if done == count:  # where the last boxes have no place, the words say that there are
                beyond = total > math.prod(made.axis)
                assert f"{'… ' * beyond}all {count} at {numbers.seconds(total)}" in said
            else:
                assert f"{done} of {count}" in said
            gpu = made.on_gpu(row).seconds
            if now >= gpu:
                assert f"all {count} at ≈ {numbers.seconds(gpu)}" in said
            else:
                assert f"0 of {count}" in said


def test_both_lanes_show_the_same_numbers() -> None:
    made = subject()
    picture = cpu_gpu(made, float(made.pages.sizes - 1), view_of())
    row = [t for t in texts(picture) if t.text.isdigit() and (t.size, t.weight) == (14, 600)]
    top = [t.text for t in row if abs(t.y - row[0].y) < 1][:5]
    other = [t.text for t in row if 30 < t.y - row[0].y < 60][:5]
    assert top == other
    assert sum(map(int, top)) == 100


def test_a_marker_of_now_goes_round_the_output_that_is_computed() -> None:
    made, view = subject(), view_of()
    tick = made.pages.race + 2  # 4 µs: before all five are done
    picture = cpu_gpu(made, float(tick), view)
    frames = [s for s in flat(picture.shapes) if getattr(s, "stroke", "") == view.theme.now_edge]
    assert len(frames) >= 3  # one a row of the CPU
    assert {s.fill for s in flat(picture.shapes) if isinstance(s, Rect)} & {view.theme.now}


@pytest.mark.parametrize("name", ["light", "dark"])
def test_yellow_is_now_and_nothing_else(name: str) -> None:
    made, view = subject(), view_of(name=name)
    picture = cpu_gpu(made, 0.0, view)
    colours = {view.theme.now, view.theme.now_edge}
    yellow = [
        s for s in flat(picture.shapes)
        if {getattr(s, "fill", ""), getattr(s, "stroke", "")} & colours
    ]  # fmt: skip
    assert len(yellow) == 1  # the pill


def test_what_is_modelled_is_dashed_and_hollow_and_what_is_measured_is_neither() -> None:
    made, view = subject(), view_of()
    for each in lines(made, SAY):
        assert each.modelled == (each.kind == "gpu")
    here = subject(known=measured(True))
    by = {each.by: each for each in lines(here, SAY)}
    assert not by["gpu"].modelled
    assert by["gpu.copied"].modelled
    picture = cpu_gpu(made, 0.0, view)
    for shape in flat(picture.shapes):
        found = getattr(shape, "name", "")
        if found.startswith("point:product:gpu"):
            assert shape.fill == view.theme.stage  # type: ignore[union-attr]
            assert "≈" in shape.title  # type: ignore[union-attr]
        elif found.startswith("point:"):
            assert shape.fill == view.theme.seq  # type: ignore[union-attr]
            assert "measured here" in shape.title  # type: ignore[union-attr]


def test_the_band_is_drawn_from_its_n_to_its_n_in_ink() -> None:
    made, view = subject(), view_of()
    found = band(measured(), "product", H100)
    assert found is not None
    what, _ = band_words(made, SAY)
    low, high = map(int, re.findall(r"\d+", what))
    assert abs(low - found.low) <= 1
    assert abs(high - found.high) <= 6  # two significant digits
    picture = cpu_gpu(made, 0.0, view)
    grounds = [s for s in flat(picture.shapes) if isinstance(s, Rect) and s.name == "band:product"]
    outer, inner = sorted(grounds, key=lambda s: -s.width)
    assert outer.x <= inner.x
    assert inner.x + inner.width <= outer.x + outer.width
    ends = {(outer.x,), (outer.x + outer.width,)}
    edges = [
        s for s in flat(picture.shapes)
        if isinstance(s, Line) and s.stroke == view.theme.ink and s.commands[0][1:2] in ends
    ]  # fmt: skip
    assert len(edges) == 2


def test_a_chain_has_no_crossover_and_it_is_said_why() -> None:
    what, why = band_words(subject(op="chain"), SAY)
    assert (what, why) == ("no crossover", "the GPU cannot help a chain")


def test_half_of_a_sweep_says_nothing_of_a_crossover() -> None:
    few = replace(measured(), sizes=measured().sizes[:8], complete=False)
    made = subject(known=few)
    assert band_words(made, SAY) == ("", "")
    names = [n for n, *_ in named(cpu_gpu(made, 0.0, view_of()))]
    assert "point:product:one:2" in names
    assert "band:product" not in names


def test_at_a_size_it_is_said_who_is_quicker() -> None:
    assert "the CPU ≈" in verdict(subject(), 2, SAY)
    assert "the GPU ≈" in verdict(subject(), 2048, SAY)
    assert "the CPU was not measured" in verdict(subject(), 8192, SAY)
    assert "≈" not in verdict(subject(known=measured(True)), 512, SAY)  # measured on both


def test_cells_of_the_map_lie_on_the_side_of_who_is_quicker() -> None:
    made, view = subject(), view_of()
    picture = cpu_gpu(made, 0.0, view)
    path = next(s for s in flat(picture.shapes) if getattr(s, "name", "") == "boundary")
    assert isinstance(path, Line)
    cells = {
        s.name: s for s in flat(picture.shapes)
        if isinstance(s, Rect) and s.name.startswith("volume:") and s.stroke is None
    }  # fmt: skip
    assert len(cells) == 70
    for row in table(made):
        for k, each in enumerate(row):
            assert each is not None
            cell = cells[f"volume:{each.branches}:{k}"]
            middle = cell.y + cell.height / 2
            steps = itertools.pairwise(path.commands)
            edge = next(
                c[1] for c, d in steps if len(c) == len(d) == 3 and d[2] <= middle <= c[2]
            )  # fmt: skip
            assert (cell.x + cell.width / 2 < edge) == (each.cpu < each.gpu)
    for _, items, branches in EXAMPLES:
        assert branches in BRANCHES
        assert 1 <= items <= 1e9


def test_before_anything_is_measured_it_says_so_and_shows_what_is_modelled() -> None:
    picture = cpu_gpu(subject(known=None), 10.0, view_of())
    said = " ".join(t.text for t in texts(picture))
    assert "not measured on this machine yet" in said
    assert "modelled from its data sheet" in said
    assert not [n for n, *_ in named(picture) if n.startswith(("point:product:one", "volume:"))]


@pytest.mark.parametrize(
    "screen", [(1280, 720), (1600, 900), (1920, 1080), (1920, 1200), (1024, 768)]
)
def test_what_the_class_must_read_is_a_48th_of_the_screen_in_present(
    screen: tuple[int, int],
) -> None:
    width, height, scale = fit_screen(screen[0], screen[1] - STRIP_PX, screen[1])
    for given in VARIANTS[:4]:
        made = subject(**given)  # type: ignore[arg-type]
        for tick in (0, 3, made.pages.race + 4, made.pages.sizes + 4, made.last_tick):
            picture = cpu_gpu(made, float(tick), view_of(width, height, controls=False))
            must = [t for t in texts(picture) if t.read_by_class]
            assert len(must) > 10
            for text in must:
                assert text.size * scale >= screen[1] / 48, text


def test_a_map_of_which_nothing_was_measured_says_so() -> None:
    made = subject(known=replace(measured(), branches=()))
    read = " ".join(text.text for text in texts(cpu_gpu(made, 10.0, view_of())))
    assert SAY("race.not_measured") in read


def test_bytes_have_a_blank_before_their_unit() -> None:
    said = [numbers.size(bytes_).replace(numbers.NBSP, " ") for bytes_ in (0, 576, 23_040, 1.2e6)]
    assert said == ["0 B", "576 B", "23 kB", "1.2 MB"]


@pytest.mark.parametrize("reached", [0, 64])
def test_a_length_that_was_not_timed_has_its_counts(reached: int) -> None:
    """Steps and FLOPs need no clock: only the time is missing where the sweep did not come."""
    rows = tuple(row for row in measured().lengths if row.tokens <= reached)
    made = subject(known=replace(measured(), lengths=rows) if reached else None)
    last = float(made.pages.last)  # T = 2048
    read = [text.text for text in texts(cpu_gpu(made, last, view_of()))]
    for row in counted():
        if row.tokens == LENGTHS[-1]:
            assert numbers.exact(row.steps) in read
            assert numbers.count(row.flops) in read
    assert read.count(SAY("race.length_not_timed")) == (3 if reached else 0)
    assert reached or SAY("race.not_measured") in read
    for text in texts(cpu_gpu(made, last, view_of())):
        assert box_of(text)[2] <= 1188 - EDGE or text.text == "T", text
    assert not any("—" in text for text in read)
    legible(cpu_gpu(made, last, view_of()), f"lengths to {reached}")
    assert SAY("race.fewer_steps", steps=8) in read


def test_exports_and_the_table_of_scenes_have_it() -> None:
    width, height, _ = fit(1600, 900, least_scale=0.0)
    made, view = subject(), view_of(width, height, controls=False)
    assert SCENES["cpu-gpu"](made, 8.0, view) == cpu_gpu(made, 8.0, view)
    assert not [n for n, *_ in named(cpu_gpu(made, 8.0, view)) if n.startswith(("choose", "page"))]


def test_a_click_finds_weights_lanes_and_points() -> None:
    made, view = subject(), view_of()
    picture = cpu_gpu(made, 3.0, view)
    places = {name: box for name, _, box in named(picture)}
    for name in ("shape:tensor", "choose:op:map", "volume:4:3", "volume:0:9", "page:lengths"):
        x, y, width, height = places[name]
        assert hit(picture, x + width / 2, y + height / 2) == name
    sheet = next(s for s in flat(picture.shapes) if isinstance(s, Cells) and len(s.colours) == 5)
    side = sheet.width / 5
    assert hit(picture, sheet.x + 0.5 * side, sheet.y + 1.5 * side) == "weight:p[3,1,0]"


def test_what_is_opened_is_ringed() -> None:
    made = subject()
    first = made.pages
    for tick, name in (
        (3, "shape:tensor"), (3, "shape:scalar"), (first.race + 6, "lane:cpu:1"),
        (first.race + 9, "lane:gpu:2"), (0, "point:product:one:64"), (0, "volume:4:3"),
        (first.last, "length:gru:64"),
    ):  # fmt: skip
        plain, opened = (
            set(flat(cpu_gpu(made, float(tick), view_of(selected=s)).shapes)) for s in ("", name)
        )
        assert opened - plain, name


def test_the_running_model_gives_the_numbers() -> None:
    from app.compute import make_pair

    pair = make_pair("the cat that slept ___", "rnn", "transformer").pair
    made = Race(**chosen(pair), measured=None, part=H100)
    pattern = pair.grid.value("blocks.1.attn.pattern")
    assert made.counts == (5, 25, 125)
    assert made.words == pair.typed
    for head in range(5):
        for query in range(5):
            assert made.weights[head][query] == tuple(map(float, pattern[head, query]))
    long = make_pair(" ".join(["the", "cat"] * 20) + " ___", "rnn", "transformer").pair
    made = Race(**chosen(long), measured=None, part=H100)
    assert len(made.words) == MOST_TOKENS
    assert made.left_out == 41 - MOST_TOKENS
    assert OPS[0] == made.op
