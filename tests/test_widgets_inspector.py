"""The inspector says what a tick does and where a number comes from, in 320 px."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QTextFormat
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from engine.models import Config, Model, initialise, run
from engine.ops import OPS, Ops
from engine.trace import Pair
from widgets import captions, numbers, run_pages, theme
from widgets.explain import explain
from widgets.fonts import register_fonts
from widgets.formats import FormatError, csv, formula, latex, literal, save_npy
from widgets.inspector import Inspector, Page
from widgets.view import Growth

SAY = captions.load("en")
WORDS = ("<pad>", "<unk>", "___", "the", "cat", "that", "dog", "slept", "fell")
CHAIN = Config(kind="chain", words=9, embedding=8, width=40, cell="elman", attention=True)
GRID = Config(kind="grid", words=9, embedding=20, width=20, heads=5, layers=2, mlp=30)
SENTENCE = (3, 4, 5, 7, 2)


def a_pair(sentence: tuple[int, ...] = SENTENCE, cell: str = "elman") -> Pair:
    rng = np.random.default_rng(2)
    chain = Config(**{**CHAIN.__dict__, "cell": cell})
    left, right = (
        run(
            Model("it", config, initialise(config, rng), WORDS),
            sentence,
            hidden=len(sentence) - 1,
            ops=Ops(),
        )
        for config in (chain, GRID)
    )
    words = left.tokens
    return Pair(left, right, typed=words, unknown=(False,) * len(words))


@pytest.fixture(scope="module")
def pair() -> Pair:
    return a_pair()


@pytest.fixture
def inspector(qtbot: QtBot) -> Iterator[Inspector]:
    register_fonts()
    window = QWidget()
    qtbot.addWidget(window)
    window.resize(320, 700)
    widget = Inspector(theme.load("light"), captions.load("en"))
    widget.setParent(window)
    widget.resize(320, 700)
    window.show()
    yield widget  # keeps the window alive
    window.close()


def show(
    inspector: Inspector,
    pair: Pair,
    what: int | str,
    growth: tuple[Growth, ...] = (),
    length: int | None = None,
) -> None:
    """Show what a tick does, an element or a counter."""

    def write(page: Page) -> None:
        run_pages.write(page, pair, what, SAY, growth, length)

    inspector.show_page(((pair, what), growth, length), write)


def lines(inspector: Inspector) -> list[str]:
    text = (
        inspector.text.toPlainText()
        .replace(numbers.NBSP, " ")
        .replace("\u2004\t", "\t")
        .replace("\t", " | ")
    )
    return [line.strip() for line in text.splitlines()]


def test_a_tick_says_both_sides_stage_operations_work_and_time(
    inspector: Inspector, pair: Pair
) -> None:
    show(inspector, pair, 3)
    said = lines(inspector)
    assert said[:3] == ["Tick 3, RNN", "Read “that”", "h3 = tanh(h2 Wh + x3 Wx + b)"]
    assert "Tick 3, Transformer" in said
    product = pair.chain.step("rnn.r.3")
    assert said[3].endswith("Stream · product | 3.2 kFLOP counted")
    assert said[4] == f"hidden 40 | {numbers.seconds(product.timing.seconds)} measured".replace(
        numbers.NBSP, " "
    )
    assert not any("view" in line for line in said)


def test_operations_of_one_kind_and_shape_are_said_once(inspector: Inspector, pair: Pair) -> None:
    show(inspector, pair, 1)
    (product,) = [line for line in lines(inspector) if "Matrix · product" in line]
    assert "×\u202f3" in product
    one = pair.grid.step("blocks.0.attn.q.product").cost.flops
    assert numbers.count(3 * one).replace(numbers.NBSP, " ") + "FLOP" in product


def test_a_side_that_is_done_waits_below_the_other(inspector: Inspector, pair: Pair) -> None:
    show(inspector, pair, 8)
    said = lines(inspector)
    assert said[0] == "Tick 8, Transformer"
    assert said.index("The chain waits: done at tick 7") > said.index("Tick 8, RNN") > 3


def test_the_last_tick_has_both_answers(inspector: Inspector, pair: Pair) -> None:
    show(inspector, pair, pair.last_tick)
    said = lines(inspector)
    starts = [i for i, line in enumerate(said) if line == "likeliest words"]
    answers = [[line.split(" | ")[0] for line in said[i + 1 : i + 6]] for i in starts]
    assert all(" | " in said[i + k] for i in starts for k in range(1, 6))  # its share beside it
    assert answers == [[word for word, _ in t.answer(5)] for t in (pair.grid, pair.chain)]


def test_an_element_has_its_equation_with_the_numbers_put_in(
    inspector: Inspector, pair: Pair
) -> None:
    show(inspector, pair, "chain:rnn.h.3[4]")
    said = lines(inspector)
    before, value = (numbers.value(pair.chain.value(f"rnn.{x}.3")[4]) for x in "ah")
    assert said[2] == "rnn.h.3[4]"
    assert "h3[4] = tanh(a3[4])" in said
    assert f"= tanh({before}) = {value}" in said
    assert "numbers 0 to 15, counted from 0, of 40" in said


def test_the_listed_part_of_a_row_holds_the_number(inspector: Inspector, pair: Pair) -> None:
    show(inspector, pair, "chain:rnn.h.3[20]")
    assert "numbers 16 to 31, counted from 0, of 40" in lines(inspector)
    assert numbers.value(pair.chain.value("rnn.h.3")[17]) in inspector.text.toPlainText()


def test_an_attention_weight_says_head_and_words(inspector: Inspector, pair: Pair) -> None:
    show(inspector, pair, "grid:blocks.0.attn.pattern[1,3,1]")
    assert "head 2, query “slept”, key “cat”" in lines(inspector)


def test_a_vector_shows_its_first_number_and_says_so(inspector: Inspector, pair: Pair) -> None:
    show(inspector, pair, "grid:blocks.0.attn.z[1,3]")
    said = lines(inspector)
    assert "blocks.0.attn.z[1,3,0]" in said
    assert "the first of 4 numbers" in said


@pytest.mark.parametrize(
    "name", ["ask:3", "count:chain:beauty", "count:both:depth", "count:", "chain"]
)
def test_of_a_name_of_nothing_nothing_is_written(
    inspector: Inspector, pair: Pair, name: str
) -> None:
    show(inspector, pair, name)
    assert lines(inspector) == []
    assert inspector.copy_button.isHidden()


def test_the_same_page_again_is_not_written_and_no_page_is_empty(
    inspector: Inspector, pair: Pair
) -> None:
    written = []
    for key in ("a", "a", ("b", 1), ("b", 2), ("b", 2)):
        inspector.show_page(key, lambda page, key=key: written.append(key))  # type: ignore[misc]
    assert written == ["a", ("b", 1), ("b", 2)]
    show(inspector, pair, 3)
    assert lines(inspector)
    inspector.show_nothing()
    assert lines(inspector) == []


def test_what_is_read_is_opened_by_keyboard(inspector: Inspector, pair: Pair, qtbot: QtBot) -> None:
    show(inspector, pair, "chain:rnn.r.3[4]")
    inspector.text.setFocus()
    with qtbot.waitSignal(inspector.linked) as signal:
        qtbot.keyClick(inspector.text, Qt.Key.Key_Tab)
        qtbot.keyClick(inspector.text, Qt.Key.Key_Return)
    assert signal.args == ["chain:rnn.h.2"]
    assert inspector.text.links[1] == "chain:rnn.h.2[0]"
    assert not any("W_h" in link for link in inspector.text.links)  # weights are no elements


PATTERN = "grid:blocks.0.attn.pattern[1,3,1]"


def choose(inspector: Inspector, letter: str) -> str:
    """Take the entry of the menu with a letter, and return what is on the clipboard."""
    # The menu is not popped up: the offscreen platform warns that it cannot grab the keyboard.
    (entry,) = [a for a in inspector.copy_button.menu().actions() if f"&{letter}" in a.text()]
    entry.trigger()
    return QGuiApplication.clipboard().text()


def test_the_numbers_are_copied_as_numpy_writes_them(inspector: Inspector, pair: Pair) -> None:
    show(inspector, pair, 3)
    assert inspector.copy_button.isHidden()
    show(inspector, pair, PATTERN)
    assert not inspector.copy_button.isHidden()
    copied = eval(choose(inspector, "N"), {"np": np})
    pattern = pair.grid.value("blocks.0.attn.pattern")
    assert copied.dtype == pattern.dtype
    assert np.array_equal(copied, pattern)


def test_the_numbers_are_copied_as_csv(inspector: Inspector, pair: Pair) -> None:
    show(inspector, pair, PATTERN)
    header, *rows = choose(inspector, "C").splitlines()
    assert header == "head,query,key 0,key 1,key 2,key 3,key 4"
    pattern = pair.grid.value("blocks.0.attn.pattern")
    assert rows[8].startswith("1,3,")
    assert [np.float32(x) for x in rows[8].split(",")[2:]] == list(pattern[1, 3].astype(np.float32))


def test_the_equation_is_copied_as_latex_with_its_values(inspector: Inspector, pair: Pair) -> None:
    show(inspector, pair, "chain:rnn.h.3[4]")
    text = choose(inspector, "L")
    before, value = (numbers.value(pair.chain.value(f"rnn.{x}.3")[4]) for x in "ah")
    plain = [number.replace(numbers.MINUS, "-") for number in (before, value)]
    assert r"h_{3}[4] &= \tanh(a_{3}[4])" in text
    assert rf"&= \tanh({plain[0]}) = {plain[1]}" in text


def test_saving_is_asked_for_by_name(inspector: Inspector, pair: Pair, qtbot: QtBot) -> None:
    show(inspector, pair, PATTERN)
    with qtbot.waitSignal(inspector.save_asked) as signal:
        choose(inspector, "S")
    assert signal.args == [pair.grid.step("blocks.0.attn.pattern")]


def test_while_a_tick_is_shown_nothing_is_copied(inspector: Inspector, pair: Pair) -> None:
    QGuiApplication.clipboard().setText("before")
    show(inspector, pair, 3)
    for format in ("numpy", "csv", "latex"):
        inspector.copy(format)
    assert QGuiApplication.clipboard().text() == "before"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(3,), (4, 5), (2, 3, 4)])
def test_csv_reads_back_equal(dtype: type[np.floating], shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    array = (rng.normal(size=shape) * 10.0 ** rng.integers(-20, 20, shape)).astype(dtype)
    array.flat[0] = -np.inf
    axes = ("head", "query", "key")[: len(shape)]
    header, *rows = csv(array, axes).splitlines()
    lead = len(shape) - 1
    assert header.split(",") == [*axes[:-1], *(f"{axes[-1]} {i}" for i in range(shape[-1]))]
    back = np.array([row.split(",")[lead:] for row in rows]).astype(dtype)
    assert np.array_equal(back.reshape(shape), array)
    places = [tuple(map(int, row.split(",")[:lead])) for row in rows]
    assert places == list(np.ndindex(shape[:-1]))
    assert csv(np.array(5), ()) == "value\n5\n"


@pytest.mark.parametrize(
    "array", [np.array([[1, 2], [-np.inf, 4]], np.float32), np.array(7)], ids=str
)
def test_npy_reads_back_equal(array: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "numbers.npy"
    path.write_bytes(b"old")
    save_npy(array, path)
    back = np.load(path, allow_pickle=False)
    assert back.dtype == array.dtype
    assert np.array_equal(back, array)
    assert [p.name for p in tmp_path.iterdir()] == ["numbers.npy"]


def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="choose another place"):
        save_npy(np.zeros(3), tmp_path / "no such folder" / "a.npy")
    (tmp_path / "file").write_text("")
    with pytest.raises(FormatError, match="choose another place"):
        save_npy(np.zeros(3), tmp_path / "file" / "a.npy")
    (tmp_path / "folder.npy").mkdir()
    with pytest.raises(FormatError, match="choose another place"):
        save_npy(np.zeros(3), tmp_path / "folder.npy")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder.npy"]


# Commands that LaTeX with amsmath has, as far as equations here need them.
COMMANDS = set(
    "begin end sum sigma alpha beta varepsilon sqrt odot cdot times div infty top dots tfrac "
    "tanh exp max sin cos mathrm text setcounter rightarrow leftarrow leftrightarrow approx".split()
)


@pytest.mark.parametrize("cell", ["elman", "gru", "lstm"])
def test_latex_is_ascii_balanced_and_knows_its_commands(cell: str) -> None:
    pair = a_pair(cell=cell)
    for trace in (pair.chain, pair.grid):
        for step in trace.steps:
            index = tuple(n - 1 for n in step.value.shape)
            text = latex(step, explain(trace, step, index))
            assert text.isascii(), text
            bare = text.replace(r"\\", "").replace(r"\{", "").replace(r"\}", "")
            depth = list(itertools.accumulate({"{": 1, "}": -1}.get(c, 0) for c in bare))
            assert min(depth) >= 0, text
            assert depth[-1] == 0, text
            assert set(re.findall(r"\\([A-Za-z]+)", text)) <= COMMANDS, text
            assert text.count(r"\begin{") == text.count(r"\end{")
            # An underscore or caret has something to stand at, and only one line has no script.
            assert not re.search(r"[_^]\s*([_^ ]|$)", bare), text
            assert "\x00" not in text


def test_a_matrix_is_written_out_up_to_a_sensible_size(pair: Pair) -> None:
    step = pair.grid.step("blocks.0.attn.pattern")
    text = latex(step, explain(pair.grid, step, (1, 3, 1)))
    body = text.partition(r"\begin{bmatrix}")[2].partition(r"\end{bmatrix}")[0]
    rows = [row.split("&") for row in body.strip().removesuffix(r"\\").split(r"\\")]
    assert len(rows) == 5
    for written, row in zip(rows, step.value[1], strict=True):
        assert [float(x) for x in written] == pytest.approx(row.tolist(), rel=5e-3)
    wide = pair.grid.step("blocks.0.mlp.pre")
    assert "bmatrix" not in latex(wide, explain(pair.grid, wide, (0, 0)))


@pytest.mark.parametrize(
    ("markup", "written"),
    [
        ("q k^⊤ / √d_{head}", r"q k^\top / \sqrt{d_{\mathrm{head}}}"),
        ("−1.2e−7", r"-1.2 \times 10^{-7}"),
        ("σ(x_t W_{xr} + b_r)", r"\sigma(x_t W_{\mathrm{xr}} + b_r)"),
        ("(x − mean) / √(variance + ε)",
         r"(x - \mathrm{mean}) / \sqrt{\mathrm{variance} + \varepsilon}"),
        ("row 4 of E, “a_b”", r"\text{row }4\text{ of }E, \text{``a\_b''}"),
    ],
)  # fmt: skip
def test_equations_become_latex(markup: str, written: str) -> None:
    assert formula(markup) == written


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_literal_gives_the_same_numbers(dtype: type[np.floating]) -> None:
    rng = np.random.default_rng(0)
    array = (rng.normal(size=(40, 40)) * 10.0 ** rng.integers(-20, 20, (40, 40))).astype(dtype)
    array[0, :4] = -np.inf, np.inf, 0, -1
    assert np.array_equal(eval(literal(array), {"np": np}), array)
    assert eval(literal(np.array(5)), {"np": np}) == 5


@pytest.mark.parametrize("cell", ["elman", "gru", "lstm"])
def test_nothing_is_cut_off_and_no_text_is_under_12_px(inspector: Inspector, cell: str) -> None:
    long = a_pair((3, 4, 5, 7) * 7 + (2,), cell)
    shown: list[int | str] = [*range(long.last_tick + 1)]
    shown += [f"{t.facts.kind}:{s.name}" for t in (long.chain, long.grid) for s in t.steps[-80:]]
    for what in shown:
        if isinstance(what, int):
            show(inspector, long, what)
        else:
            show(inspector, long, what)
        document = inspector.text.document()
        block = document.begin()
        while block.isValid():
            layout = block.layout()
            if "\t" in block.text():
                assert layout.lineCount() == 1, (what, block.text())
            for i in range(layout.lineCount()):
                line = layout.lineAt(i)
                assert line.naturalTextRect().right() <= inspector.text.viewport().width(), (
                    what,
                    block.text(),
                )
            for span in block.textFormats():
                script = span.format.verticalAlignment() in (
                    span.format.VerticalAlignment.AlignSubScript,
                    span.format.VerticalAlignment.AlignSuperScript,
                )
                size = span.format.property(QTextFormat.Property.FontPixelSize)
                assert size is None or size * (2 / 3 if script else 1) >= 12
            block = block.next()


def test_a_theme_changes_ground_and_text(inspector: Inspector, pair: Pair) -> None:
    show(inspector, pair, 3)
    dark = theme.load("dark")
    inspector.show_theme(dark)
    image = inspector.text.viewport().grab().toImage()
    assert image.pixelColor(2, image.height() - 2).name().upper() == dark.window.upper()
    assert dark.stream_tint.upper() in {
        image.pixelColor(x, y).name().upper()
        for x in range(0, image.width(), 2)
        for y in range(0, 300, 2)
    }


# ---- counters: every page is a sum that comes out ------------------------------------------------


def page_of(inspector: Inspector, pair: Pair, name: str) -> list[str]:
    """Return the lines of a counter's page, numbers without spaces: "Embed | 6400 16 %"."""
    show(inspector, pair, name)
    return [re.sub(r"(?<=\d)[\u202f ](?=\d{3}\b)", "", line) for line in lines(inspector)]


def amounts(said: list[str], start: str, end: str) -> list[str]:
    """Return what stands at the right of the lines between two others, and behind the last.

    Where it has no room beside its title it stands on a line of its own.
    """
    i = said.index(start)
    j = next(k for k in range(i, len(said)) if said[k].startswith(f"{end} | = "))
    alone = re.compile(r"[\d.]+( [mnµ]?s)? +\d+ %")
    return [
        line.rpartition(" | ")[2]
        for line in said[i + 1 : j + 1]
        if " | " in line or alone.fullmatch(line)
    ]


PAIRS = {cell: a_pair(cell=cell) for cell in ("elman", "gru", "lstm")}
PAIRS["long"] = a_pair((3, 4, 5, 7, 8, 3, 6, 5, 8, 3, 4, 2))
SIDES = [(which, side) for which in PAIRS for side in ("chain", "grid")]


@pytest.mark.parametrize(("which", "side"), SIDES)
def test_the_longest_chain_adds_up_to_the_depth_and_every_step_is_a_link(
    inspector: Inspector, which: str, side: str
) -> None:
    pair = PAIRS[which]
    trace = pair.side(side)
    said = page_of(inspector, pair, f"count:{side}:depth")
    assert f"Depth: {trace.depth}" in said
    rows = amounts(said, "The longest chain", "Depth")
    parts = [int(row.rpartition("= ")[2]) for row in rows[:-1] if row[0].isdigit()]
    assert sum(parts) == trace.depth
    assert rows[-1] == f"= {trace.depth}"
    for row in rows:  # "4 × 3 = 12"
        if found := re.fullmatch(r"(\d+) × (\d+) = (\d+)", row):
            times, each, product = map(int, found.groups())
            assert times * each == product
    links = inspector.text.links
    counted = [f"{side}:{step.name}" for step in trace.longest]
    assert set(links) <= set(counted)
    assert links[-1] == f"{side}:answer.word"
    if side == "grid":  # nothing is folded, so that every step that counts is there
        assert len(links) == trace.depth


def test_reads_alike_are_folded_and_lead_to_the_first_and_the_last(
    inspector: Inspector, pair: Pair
) -> None:
    said = page_of(inspector, pair, "count:chain:depth")
    i = said.index("Read “cat” … Read the blank | 4 × 3 = 12")
    assert said[i + 1 : i + 4] == [
        "rnn.r.2 … 5 | product", "rnn.a.2 … 5 | sum", "rnn.h.2 … 5 | tanh"
    ]  # fmt: skip
    assert "Read “the” | 2" in said  # x W_x was waited for longer than the state before it
    assert {"chain:rnn.h.2", "chain:rnn.h.5"} <= set(inspector.text.links)


def test_the_depth_grows_as_the_graphs_of_other_lengths_say(
    inspector: Inspector, pair: Pair
) -> None:
    grown = replace(pair, depth_of_tokens=((1, 14, 40), (2, 17, 40), (8, 35, 40), (16, 59, 40)))
    said = page_of(inspector, grown, "count:chain:depth")
    assert "depth = 3\u2009T + 11" in said
    assert f"T = 5 | {pair.chain.depth}" in said  # this run's own among them
    assert any("longer by 3" in line for line in said)
    show(inspector, grown, "count:chain:depth", length=30)
    assert "T = 30 | 101" in lines(inspector)
    assert any("no longer" in line for line in page_of(inspector, grown, "count:grid:depth"))


@pytest.mark.parametrize(("which", "side"), SIDES)
def test_flops_by_stage_and_by_kind_are_the_flops_of_the_run(
    inspector: Inspector, which: str, side: str
) -> None:
    trace = PAIRS[which].side(side)
    said = page_of(inspector, PAIRS[which], f"count:{side}:flops")
    assert f"FLOPs: {trace.flops} counted" in said
    for section in ("By stage", "By kind of operation"):
        *rows, total = amounts(said[said.index(section) :], section, "sum")
        flops, shares = zip(*(map(int, row.removesuffix("%").split()) for row in rows), strict=True)
        assert sum(flops) == trace.flops
        assert sum(shares) == 100
        assert total == f"= {trace.flops}"


@pytest.mark.parametrize(("which", "side"), SIDES)
def test_times_add_up_as_they_are_written(inspector: Inspector, which: str, side: str) -> None:
    trace = PAIRS[which].side(side)
    said = page_of(inspector, PAIRS[which], f"count:{side}:seconds")
    totals = []
    for section, end in (
        ("The whole run", "run"), ("By kind of work", "operations"), ("By stage", "operations")
    ):  # fmt: skip
        *rows, total = amounts(said[said.index(section) :], section, end)
        parts = [row.split() for row in rows]
        assert len({unit for _, unit, _, _ in parts}) == 1
        number, unit = total.removeprefix("= ").split()
        assert sum(Decimal(part[0]) for part in parts) == Decimal(number)
        assert parts[0][1] == unit
        assert sum(int(part[2]) for part in parts) == 100
        totals.append((number, unit))
    scale = {"s": 1.0, "ms": 1e-3, "µs": 1e-6}
    steps = [step for step in trace.steps if step.timing.seconds and OPS[step.op].moves]
    measured = math.fsum(step.timing.seconds for step in steps)
    for (number, unit), seconds in zip(totals, (trace.seconds, measured, measured), strict=True):
        assert float(number) * scale[unit] == pytest.approx(seconds, rel=1e-3)
    assert totals[1] == totals[2]
    assert any(line.startswith("between them | ") for line in said)


def test_a_run_that_took_less_than_its_steps_has_nothing_between_them(
    inspector: Inspector, pair: Pair
) -> None:
    short = replace(pair, chain=replace(pair.chain, seconds=0.0))
    said = page_of(inspector, short, "count:chain:seconds")
    assert "The whole run" not in said
    assert "By stage" in said


@pytest.mark.parametrize(("which", "side"), SIDES)
def test_parameters_by_tensor_add_up(inspector: Inspector, which: str, side: str) -> None:
    trace = PAIRS[which].side(side)
    said = page_of(inspector, PAIRS[which], f"count:{side}:parameters")
    total = sum(array.size for array in trace.parameters.values())
    assert total == trace.facts.parameters
    assert f"Parameters: {total}" in said
    i = said.index("By tensor")
    j = said.index(f"sum | = {total}")
    added, times = 0, 1
    for line in said[i + 1 : j]:
        title, _, number = line.rpartition(" | ")
        if "  " not in title:  # whose tensors follow
            times = int(number.partition(" × ")[0]) if "×" in number else 1
            continue
        shape = title.split("  ")[1].split(" × ")
        assert math.prod(map(int, shape)) == int(number)
        added += times * int(number)
    assert added == total
    assert "embed.E is read by both of these and counted once:" in said


def test_memory_is_what_later_ticks_read_and_the_most_of_it_at_once(
    inspector: Inspector, pair: Pair
) -> None:
    said = page_of(inspector, pair, "count:chain:memory")
    assert "Memory: 40 numbers" in said
    # By hand: x W_x of 5 words, h_1 … h_4 for the look back and h_5 for the answer, the context.
    for line in ("rnn.x | 5 × 40 = 200", "rnn.h.1 … 4 | 4 × 40 = 160", "rnn.h.5 | 40",
                 "attn.context | 40"):  # fmt: skip
        assert line in said
    assert said[said.index("rnn.h.1 … 4 | 4 × 40 = 160") + 1] == (
        "Read “the” … Read “slept” → Look back"
    )
    # Behind read 4 nothing of x W_x has been dropped, and four states wait.
    assert "most at once | = 360" in said
    rows = page_of(inspector, pair, "count:grid:memory")
    assert "Memory: 5 × 20 numbers" in rows
    assert "blocks.0.x | 5 × 20 = 100" in rows


def test_a_state_that_only_the_next_read_needs_is_kept_until_then(inspector: Inspector) -> None:
    said = page_of(inspector, PAIRS["lstm"], "count:chain:memory")
    i = said.index("rnn.c.0 … 4 | 5 × 40 = 200")
    assert said[i + 1] == "Embed … Read “slept” → Read “the” … Read the blank"


def test_tokens_say_which_is_hidden_and_which_unknown(inspector: Inspector, pair: Pair) -> None:
    known = replace(pair, unknown=(False, True, False, False, False))
    show(inspector, known, "count:tokens", length=32)
    said = lines(inspector)
    assert "2  cat | unknown word" in said
    assert "5  ___ | hidden word" in said
    assert any("T = 32" in line and "5" in line for line in said)
    assert inspector.text.links == [f"chain:embed.x[{i}]" for i in range(5)]


@pytest.mark.parametrize("placed", [True, False])
def test_every_head_has_its_role_its_score_and_its_weights(
    inspector: Inspector, pair: Pair, placed: bool
) -> None:
    grid = pair.grid
    heads, layers = grid.facts.heads, grid.facts.layers
    roles = tuple(
        tuple(("mixed" if h else "subject", 0.4 + b + h / 100) for h in range(heads))
        for b in range(layers)
    )
    shown = replace(pair, grid=replace(grid, facts=replace(grid.facts, roles=roles)))
    said = page_of(inspector, shown, "count:roles")
    for block in range(layers):
        for head, (role, score) in enumerate(roles[block]):
            assert f"{head + 1}  {SAY(f'role.{role}')} | {score:.2f}" in said
            name = f"grid:blocks.{block}.attn.pattern[{head}]"
            assert shown.find(name) is not None
            assert name in inspector.text.links
    assert SAY("count.role.subject") in said
    assert SAY("count.role.first") not in said
    # Without roles it is said why there are none.
    steps = tuple(step for step in grid.steps if placed or step.name != "embed.positions")
    bare = replace(pair, grid=replace(grid, steps=steps, facts=replace(grid.facts, roles=())))
    said = page_of(inspector, bare, "count:roles")
    assert said[-1] == SAY("count.roles.untrained" if placed else "count.roles.unplaced")


def test_a_counter_has_no_tensor_to_copy(inspector: Inspector, pair: Pair) -> None:
    QGuiApplication.clipboard().setText("before")
    show(inspector, pair, "count:chain:depth")
    assert inspector.copy_button.isHidden()
    inspector.copy("numpy")
    assert QGuiApplication.clipboard().text() == "before"


def test_a_counter_is_written_again_only_for_what_is_new(inspector: Inspector, pair: Pair) -> None:
    inspector.resize(320, 300)
    QApplication.processEvents()
    show(inspector, pair, "count:chain:flops")
    bar = inspector.text.verticalScrollBar()
    bar.setValue(40)
    show(inspector, pair, "count:chain:flops")
    assert bar.value() == 40
    growth = (Growth(2, (1234, 5), (1e-3, 2e-3)), Growth(7, (8, 9), (1.0, 2.0)))
    show(inspector, pair, "count:chain:flops", growth, 7)
    assert bar.value() == 40
    said = [line.replace(numbers.THIN, " ") for line in lines(inspector)]
    assert "T = 2 | 1 234" in said
    assert "T = 7 | 8" in said
    assert f"T = 5 | {numbers.exact(pair.chain.flops)}".replace(numbers.THIN, " ") in said


def test_a_page_is_read_from_its_beginning(inspector: Inspector, pair: Pair) -> None:
    # Qt scrolls to the text's own cursor when the panel is shown for the first time.
    for name in ("count:grid:memory", "count:chain:depth"):
        show(inspector, pair, name)
        assert inspector.text.textCursor().position() == 0


@pytest.mark.parametrize("whole", [100, 1, 7, 12345])
def test_shares_add_up_to_the_whole(whole: int) -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        weights = rng.random(rng.integers(1, 9)) + 1e-9
        assert sum(numbers.shared(weights, whole)) == whole
    assert numbers.exact(1234567) == "1\u202f234\u202f567"
    assert numbers.times([0.0, 0.0]) == ("0", "0", "0")
    assert numbers.times([1.04e-6, 2e-6]) == tuple(
        f"{x}\u00a0µs" for x in ("1.040", "2.000", "3.040")
    )
