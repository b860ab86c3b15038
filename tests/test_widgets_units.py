"""Chapter 2 as a picture: pure, complete, legible, and every number of it the engine's."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import fields, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import check_texts, flat, texts
from pytestqt.qtbot import QtBot

from app import workload_runs, workloads
from app.workloads import Chosen
from engine import claims, parts, roofline
from engine.live import LIVE, Measured
from engine.live import Live as Runs
from engine.recorder import Trained
from engine.said import Said
from engine.tile import multiply
from engine.trace import Basis
from engine.units import Work
from engine.workload import SIZES, Workload
from widgets import captions, numbers, theme, unit_pages
from widgets.geometry import fit
from widgets.hit import named
from widgets.inspector import Inspector, Page
from widgets.numbers import NBSP
from widgets.picture import Rect, Text
from widgets.scenes.computing_units import Computing, computing_units, plot_box
from widgets.scenes.computing_units.faster import parts_of
from widgets.scenes.computing_units.live import WINDOW, first_shown
from widgets.scenes.computing_units.panel import flop_percents, time_percents
from widgets.scenes.computing_units.subject import FACTORS, LANES, MODES, Sample
from widgets.scenes.computing_units.trained import by_phase
from widgets.svg import svg
from widgets.view import View

GOLDENS = Path(__file__).parent / "goldens"
STRIP_PX = 62  # of the screen, for the controls of Present
SAY = captions.load("en")
PRESETS = tuple(workloads.PRESETS)
THEMES = ("light", "dark", "contrast", "contrast-dark")
# Name of the golden, preset, tick, theme.
CASES = (
    ("start", "", 0, "light"), ("block", "", 10, "light"), ("toy", "toy", 20, "dark"),
    ("update", "gpt3-layer", 28, "light"), ("tile", "decode-1", 18, "light"),
)  # fmt: skip
SAMPLES = tuple(
    Sample(0.02 + 0.01 * math.sin(i), 0.2 + 0.05 * math.cos(i), 0.78 - 0.01 * math.sin(i)
           - 0.05 * math.cos(i))
    for i in range(40)
)  # fmt: skip


@lru_cache(maxsize=2)
def steady(workload: Workload) -> Measured:
    """Return a run whose times do not change from one to the next."""
    made = Runs(workload).run()
    steps = tuple(
        replace(step, timing=replace(step.timing, seconds=1e-5 * (1 + i % 7)))
        for i, step in enumerate(made.steps)
    )
    return Measured(steps, 1.2 * sum(step.timing.seconds for step in steps))


@lru_cache(maxsize=64)
def subject_of(preset: str = "", **chosen: Any) -> Computing:
    """Return a subject whose measured part does not change from run to run."""
    choice = replace(workloads.chosen_from(preset=preset), **chosen)
    workload, _ = workloads.live_workload(choice.workload)
    rng = np.random.default_rng(0)
    run = steady(LIVE)
    made = workloads.computing(
        choice,
        SAY,
        live=replace(workloads.live(choice.workload, SAMPLES, 0.02, SAY), where="NumPy"),
        cpu=workload_runs.measured_run(run, LIVE, SAY),
        tile=multiply(rng.normal(size=(16, 16)), rng.normal(size=(16, 16)), "random numbers"),
    )
    return made if preset != "toy" else replace(made, measured=run.shares)


def view_of(width: float = 1188, height: float = 728, name: str = "light", **more: Any) -> View:
    return View(width, height, theme.load(name), SAY, **more)


def finite(value: object) -> Iterator[float]:
    if isinstance(value, float | int):
        yield float(value)
    elif isinstance(value, tuple):
        for part in value:
            yield from finite(part)


# ------------------------------------------------------------------ the picture


def golden(name: str, *_: object) -> Path:
    return GOLDENS / f"three-computing-{name}.svg"


def drawn(name: str, preset: str, tick: int, theme_name: str) -> str:
    panel = "tile" if name == "tile" else "faster"
    return svg(computing_units(subject_of(preset, panel=panel), tick, view_of(name=theme_name)))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_pictures_are_the_golden_ones(case: tuple[str, str, int, str]) -> None:
    assert drawn(*case) == golden(*case).read_text(encoding="utf-8")


@pytest.mark.parametrize("preset", ["", "gpt3-layer"])
def test_symbols_of_operations_are_set_as_in_equations(preset: str, qtbot: QtBot) -> None:
    """No lane and no list says dW_in, W_{in} or dE^⊤."""
    subject = subject_of(preset, panel="tile")
    assert subject.tile is not None
    tile = replace(subject.tile, source="GPT-2 124M: n W_q, the first 16 × 16")
    subject = replace(subject, tile=tile)
    inspector = Inspector(theme.load("light"), SAY)
    qtbot.addWidget(inspector)

    def write(name: str, page: Page) -> None:
        unit_pages.write(page, subject, name, 0, SAY)

    elements = [f"op:{span.name}" for span in subject.run.spans]
    for tick, name in enumerate((*elements, "lane:matrix", "lane:stream", "tile:fp16")):
        picture = computing_units(subject, tick, view_of())
        for text in texts(picture):
            assert not re.search(r"[_^{]", text.text), text
            assert not re.search(r"[_^]\{", text.title), text
        inspector.show_page(name, partial(write, name))
        assert not re.search(r"[_^{]", inspector.text.toPlainText())
    inspector.show_page("", partial(write, "workload"))
    shown = inspector.text.toPlainText()
    assert "dWout" in shown
    chips = [shown[start:end].strip() for start, end, _ in inspector.text.chips]
    assert len(chips) == workloads.LISTED
    assert any(re.fullmatch(r"MLP.out:.dWout.×.\d+", chip) for chip in chips)  # one, not three
    assert [t for t in texts(picture) if t.text == "q" and t.italic]


@pytest.mark.parametrize("preset", ["", *PRESETS])
@pytest.mark.parametrize("lanes", ["part", "cpu"])
def test_no_text_is_small_or_cut_off_or_upon_another_at_any_tick(preset: str, lanes: str) -> None:
    for panel, folded in (("faster", False), ("tile", True)):
        subject = subject_of(preset, lanes=lanes, panel=panel, folded=folded)
        for tick in range(subject.last_tick + 1):
            picture = computing_units(subject, tick, view_of(1188, 700))
            check_texts(picture, f"{preset} {lanes} tick {tick}")
    for width, height, controls in ((1294, 728, True), (1700, 800, True), (1188, 891, False)):
        for tick in (0, 3, subject.last_tick // 2, subject.last_tick):
            view = view_of(width, height, controls=controls)
            check_texts(computing_units(subject, tick, view), f"{preset} {width}")


@pytest.mark.parametrize("name", THEMES)
@pytest.mark.parametrize("preset", ["", *PRESETS])
def test_everything_is_finite_within_the_frame_and_has_a_page_or_an_action(
    preset: str, name: str
) -> None:
    subject = subject_of(preset)
    for half in range(0, 2 * subject.last_tick + 1, 3):
        picture = computing_units(subject, half / 2, view_of(name=name))
        for shape in flat(picture.shapes):
            for field in fields(shape):
                assert all(map(math.isfinite, finite(getattr(shape, field.name)))), shape
        for element, title, (x, y, width, height) in named(picture):
            assert title, element
            assert x >= -1, element
            assert y >= -1, element
            assert x + width <= picture.width + 1, element
            assert y + height <= picture.height + 1, element
            action = re.fullmatch(r"choose:[a-z]+:[a-z0-9.\-]+|tile:\w+", element)
            assert action or unit_pages.is_element(subject, element), element


def test_going_back_is_the_same_picture_to_the_bit() -> None:
    subject, view = subject_of(), view_of()
    forward = [svg(computing_units(subject, t, view)) for t in range(subject.last_tick + 1)]
    back = [svg(computing_units(subject, t, view)) for t in reversed(range(subject.last_tick + 1))]
    assert forward == back[::-1]
    assert len(set(forward)) == len(forward)  # and no tick is drawn as another


@pytest.mark.parametrize("screen", [(1280, 720), (1600, 900), (1920, 1200), (1024, 768)])
@pytest.mark.parametrize("preset", ["", "toy"])
def test_what_the_class_must_read_is_a_48th_of_the_screen_in_present(
    screen: tuple[int, int], preset: str
) -> None:
    width, height, scale = fit(screen[0], screen[1] - STRIP_PX, least_scale=0.0)
    picture = computing_units(subject_of(preset), 9, view_of(width, height, controls=False))
    must = [text for text in texts(picture) if text.read_by_class]
    assert {"3 Computing in AI", "Sequential", "Parallel stream", "Matrix"} <= {
        t.text for t in must
    }
    for text in must:
        assert text.size * scale >= screen[1] / 48, text.text


def test_a_figure_has_no_switches_and_says_the_whole_workload() -> None:
    picture = computing_units(subject_of(), 9, view_of(controls=False))
    assert not [name for name, *_ in named(picture) if name.startswith("choose:")]
    said = [text.text for text in texts(picture) if text.name == "workload"]
    assert said == ["one workload: GPT-2 124M, training, 8 × 1024 tokens, FP16"]


@pytest.mark.parametrize("preset", ["", *(preset.id for preset in claims.PRESETS)])
def test_the_workload_stands_whole_beside_the_title(preset: str) -> None:
    picture = computing_units(subject_of(preset), 0, view_of())
    (said,) = (text.text for text in texts(picture) if text.name == "workload")
    assert "…" not in said
    assert said.endswith(subject_of(preset).size)


def test_a_share_above_one_with_a_plus_is_not_said_to_miss_it() -> None:
    def said(subject: Computing) -> str:
        picture = computing_units(subject, 0, view_of())
        return " ".join(text.text for text in texts(picture) if text.name == "causes")

    # 74 % of matrix work, where 65+ is claimed
    reads = subject_of(workload=Workload("gpt2-124m", "inference", 8, 1024))
    assert reads.time.parts[Work.MATRIX] > reads.claim[Work.MATRIX]
    assert said(reads) == "Why more than 65: many rows in every product."
    assert said(subject_of()).startswith("Why not 85: ")


def test_one_marker_goes_round_the_operation_of_the_tick() -> None:
    subject, view = subject_of(), view_of()
    for tick in (1, 10, 30, subject.last_tick):
        picture = computing_units(subject, tick, view)
        frames = [
            s for s in flat(picture.shapes) if getattr(s, "stroke", "") == view.theme.now_edge
        ]
        assert len(frames) == 1
        name = f"op:{subject.run.spans[tick - 1].name}"
        x, y, width, height = next(box for element, _, box in named(picture) if element == name)
        frame: Any = frames[0]
        assert frame.x <= x + 0.5
        assert frame.x + frame.width >= x + min(width, frame.width) - 9
        assert frame.y < y + height
    calm = computing_units(subject, 0, view)
    assert not [s for s in flat(calm.shapes) if getattr(s, "stroke", "") == view.theme.now_edge]


# ------------------------------------------------------------------ its numbers


@pytest.mark.parametrize("preset", ["", *PRESETS])
@pytest.mark.parametrize("folded", [False, True])
def test_the_numbers_in_the_bars_are_the_models_and_add_up_to_100(
    preset: str, folded: bool
) -> None:
    chosen = workloads.chosen_from(preset=preset)
    modelled = roofline.model(chosen.workload, parts.load(chosen.part))
    subject = subject_of(preset, folded=folded)
    percents = time_percents(subject.time, folded)
    assert sum(percents.values()) == 100
    of = modelled.shares.folded if folded else modelled.shares
    for work in LANES:
        assert abs(percents[work] - 100 * of[work]) < 1
    flops = [float(text.split()[0].removesuffix("%")) for text in flop_percents(subject).values()]
    assert sum(flops) == pytest.approx(100)
    for work, shown in zip(LANES, flops, strict=True):
        assert abs(shown - 100 * modelled.flop_parts.get(work, 0.0)) < 0.1
    picture = computing_units(subject, 3, view_of())
    shown_now = {text.name: text.text for text in texts(picture)}
    for work in LANES:
        assert shown_now[f"share:{work}"] == f"≈{NBSP}{percents[work]}{NBSP}%"
        assert shown_now[f"flops:{work}"] == flop_percents(subject)[work]
        claim = claims.claim_of(chosen.workload)
        plus = "+" if work in claim.beyond else ""
        assert shown_now[f"claim:{work}"] == f"{100 * claim.parts[work]:.0f}{plus}"
    total = numbers.seconds(modelled.seconds)
    assert shown_now["amdahl:before"] == f"≈{NBSP}{total}"


def test_the_shown_operations_are_those_of_the_model_with_their_lane_and_time() -> None:
    chosen = workloads.DEFAULT
    modelled = roofline.model(chosen.workload, parts.load(chosen.part))
    by_name = {op.name: op for op in modelled.operations}
    kernels: dict[str, list[roofline.Event]] = {}
    for event in modelled.events:
        if event.lane == "device":
            kernels.setdefault(event.operation.name, []).append(event)
    spans = subject_of().run.spans
    assert {"blocks.6.mlp.in", "adamw", "loss.read"} <= {span.name for span in spans}
    for span in spans:
        op = by_name[span.name]
        assert (span.work, span.flops, span.bytes) == (op.work, op.cost.flops, op.cost.bytes)
        if span.name in kernels:
            first, last = kernels[span.name][0], kernels[span.name][-1]
            assert span.seconds == pytest.approx(last.start + last.seconds - first.start)
    for part in subject_of().run.stretches:
        ends = [span.end for span in part.spans]
        starts = [span.start for span in part.spans]
        assert starts[0] == 0
        assert all(a <= b + 1e-12 for a, b in zip(ends, starts[1:], strict=False))


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("unit", LANES)
def test_a_faster_unit_shortens_the_step_and_never_below_its_wall(unit: Work, factor: int) -> None:
    subject = subject_of("", unit=unit, factor=factor)
    made = subject.faster
    assert made.seconds <= subject.time.seconds * (1 + 1e-9)
    assert made.seconds >= made.wall * (1 - 1e-9)
    assert sum(parts_of(made.shares).values()) == pytest.approx(made.seconds)
    if factor == 1:
        assert made.gain(subject.time.seconds) == pytest.approx(1)


def test_a_chain_shows_its_first_steps_only() -> None:
    chosen = workloads.chosen_from(model="gru-124m", mode="inference", batch=1, tokens=128)
    subject = workloads.computing(chosen, SAY)
    stretch = next(part for part in subject.run.stretches if part.group == "forward")
    assert sum("gates" in span.label for span in stretch.spans) == workload_runs.CHAIN_STEPS
    check_texts(computing_units(subject, 6, view_of()), "chain")


def test_measured_lanes_are_solid_and_modelled_ones_dashed() -> None:
    for lanes, basis in (("part", Basis.MODELLED), ("cpu", Basis.MEASURED)):
        subject = subject_of("", lanes=lanes)
        assert subject.run.basis is basis
        picture = computing_units(subject, subject.last_tick, view_of())
        boxes: list[Any] = [
            s for s in flat(picture.shapes)
            if getattr(s, "name", "").startswith("op:") and not isinstance(s, Text)
        ]  # fmt: skip
        stage = theme.load("light").stage
        assert boxes
        assert all((box.fill == stage) == (basis is Basis.MODELLED) for box in boxes)


def test_where_nothing_was_measured_nothing_solid_is_time() -> None:
    subject = replace(subject_of(), measured=None)
    picture = computing_units(subject, 9, view_of())
    assert not [name for name, *_ in named(picture) if name.startswith("measured:")]
    measured = replace(subject, measured=steady(LIVE).shares)
    names = {name for name, *_ in named(computing_units(measured, 9, view_of()))}
    assert {f"measured:{work}" for work in LANES} <= names


def test_the_plot_lies_where_the_scene_draws_the_series() -> None:
    for width, height, controls in ((1188, 700, True), (1600, 900, False)):
        view = view_of(width, height, controls=controls)
        picture = computing_units(subject_of(), 0, view)
        box = next(box for name, _, box in named(picture) if name == "live:plot")
        assert box == pytest.approx(plot_box(width, height, controls))


def seconds(sequential: float, stream: float, matrix: float) -> dict[Work, float]:
    return dict(zip(LANES, (sequential, stream, matrix), strict=True))


TRAINED = Trained(
    "GRU with attention (Bahdanau), dates", 312, 50,
    {"batch": seconds(2e-3, 0, 0), "forward": seconds(0, 9e-3, 2e-3),
     "backward": seconds(0, 14e-3, 5.2e-3), "update": seconds(0, 1e-3, 0)},
)  # fmt: skip


@pytest.mark.parametrize("size", [(1188, 700), (1294, 728), (1700, 900)])
@pytest.mark.parametrize("controls", [True, False])
def test_a_training_is_shown_by_phase_and_unit_and_adds_up_to_100(
    size: tuple[int, int], controls: bool
) -> None:
    subject = subject_of()
    subject = replace(subject, live=replace(subject.live, trained=TRAINED))
    picture = computing_units(subject, 3, view_of(*size, controls=controls))
    check_texts(picture, f"training {size}")
    place = plot_box(*size, controls=controls)
    whole = 0
    for phase, of in by_phase(TRAINED).items():
        titled = [s for s in flat(picture.shapes) if getattr(s, "name", "") == f"live:{phase}"]
        said = [s.text for s in titled if isinstance(s, Text)]
        percent = sum(of.values())
        assert said == [phase, f"{percent}{NBSP}%"]
        whole += percent
        track, *parts_ = [s for s in titled if isinstance(s, Rect)]
        shown = [share for share in of.values() if share]
        assert len(parts_) == len(shown)
        for part, share in zip(parts_, shown, strict=True):
            assert part.width == pytest.approx(track.width * share / 100)
            assert part.y >= place[1]
        assert unit_pages.is_element(subject, f"live:{phase}")
    assert whole == 100
    by = by_phase(TRAINED)
    assert by["backward"][Work.STREAM] > by["forward"][Work.STREAM] > by["update"][Work.STREAM] > 0
    assert not [s for s in texts(picture) if s.text == "100"]  # the axis of the plot


def test_without_a_training_it_says_so_in_its_mode_alone() -> None:
    def said(subject: Computing, **more: Any) -> list[str]:
        picture = computing_units(subject, 3, view_of(1900, 1000, **more))
        return [t.text for t in texts(picture) if t.name == "live:trained"]

    training, inference = subject_of(), subject_of("toy")
    assert (training.mode, inference.mode) == ("training", "inference")
    assert said(training) == [SAY("units.trained_none")]
    assert "N in chapter 4" in said(training)[0]
    assert said(training, controls=False) == []  # nobody can press a key of a figure
    assert said(inference) == []
    trained = replace(inference, live=replace(inference.live, trained=TRAINED))
    assert said(trained) == []


def test_a_full_plot_drops_its_older_half_and_does_not_slide() -> None:
    firsts = [first_shown(n) for n in range(WINDOW * 4)]
    assert set(firsts[: WINDOW + 1]) == {0}
    steps = {b - a for a, b in itertools.pairwise(firsts)}
    assert steps == {0, WINDOW // 2}
    assert all(n - first <= WINDOW for n, first in enumerate(firsts))


# ------------------------------------------------------------------ what is chosen


def test_a_preset_is_known_again_and_a_change_leaves_it() -> None:
    for id in PRESETS:
        chosen = workloads.chosen_from(preset=id)
        assert workloads.preset_of(chosen.workload, chosen.part) == id
    other = workloads.chosen_from(preset="toy", batch=2)
    assert workloads.preset_of(other.workload, other.part) == ""
    assert other.workload.style == "cupy-eager"


@pytest.mark.parametrize(
    "given",
    [{"preset": "none"}, {"model": "gpt9"}, {"batch": -1}, {"tokens": 10**9}, {"part": "h9000"},
     {"precision": "fp3"}, {"mode": "sleeping"}],
)  # fmt: skip
def test_nonsense_is_refused_in_a_sentence(given: dict[str, Any]) -> None:
    with pytest.raises(Said) as error:
        workloads.chosen_from(**given)
    assert str(error.value).endswith(".")


def test_what_is_too_large_to_run_here_is_said_and_the_block_runs_instead() -> None:
    large = Workload("gpt2-124m", "inference", 8, 1024)
    live = workloads.live(large, (), 0.0, SAY)
    assert workloads.live_workload(large)[0] == LIVE
    assert "too large to run here" in live.note
    small = Workload("toy", "inference", 1, 5, "float32")
    runs, seconds = workloads.live_workload(small)
    assert (runs.model, seconds) == ("toy", None)
    assert workloads.live(small, (), 0.0, SAY).note == ""


def test_shares_of_a_run_here_add_up_to_its_wall_time() -> None:
    measured = Runs(LIVE).run()
    assert sum(measured.shares.parts.values()) == pytest.approx(1)
    assert measured.shares.basis is Basis.MEASURED
    run = workload_runs.measured_run(measured, LIVE, SAY)
    assert sum(span.seconds for span in run.spans) == pytest.approx(measured.seconds, rel=0.02)
    assert {span.lane for span in run.spans} == set(LANES)


def test_everything_chosen_has_words() -> None:
    for kind, rows in workloads.offers(SAY).items():
        assert len({id for id, _ in rows}) == len(rows) > 1, kind
    assert isinstance(workloads.DEFAULT, Chosen)


def test_every_cause_has_its_words() -> None:
    found = re.findall(
        r'Cause\(\s*"([a-z0-9-]+)"(?: if on_cpu else "([a-z-]+)")?',
        Path(claims.__file__).read_text("utf-8"),
    )
    names = {name for pair in found for name in pair if name}
    assert len(names) >= 8
    for name in names:
        assert SAY(f"units.cause.{name}")


@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize("preset", ["toy", "decode-1"])
def test_every_bar_is_as_long_as_its_number_folded_or_not(preset: str, folded: bool) -> None:
    made = subject_of(preset, folded=folded)
    seen = {
        shape.name: shape.width
        for shape in flat(computing_units(made, 0, view_of()).shapes)
        if isinstance(shape, Rect) and shape.name
    }
    whole = seen["flops:matrix"] / made.flops[Work.MATRIX]  # px of 100 %
    known = {"share": made.time} | ({"measured": made.measured} if made.measured else {})
    for kind, shares in known.items():
        of = shares.folded if folded else shares
        for work in LANES:
            if of[work] * whole > 3:  # what is less is drawn 2 px wide, to be seen
                assert seen[f"{kind}:{work}"] == pytest.approx(of[work] * whole, abs=1), work
    assert made.time.folded[Work.SEQUENTIAL] > made.time[Work.SEQUENTIAL] + 0.05  # it differs


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("model", list(SIZES))
def test_on_a_cpu_nothing_is_said_of_the_units_of_a_card(model: str, mode: str) -> None:
    chosen = workloads.chosen_from(model=model, mode=mode, part="desktop-cpu", precision="fp16")
    subject = workloads.computing(chosen, SAY)
    assert subject.pipe_active is None
    assert subject.run.on_cpu
    view = View(1600, 900, theme.load("light"), SAY)
    said = " ".join(text.text for text in texts(computing_units(subject, 5.0, view)))
    assert "would run on the CPU" in said
    assert "FP32" in said
    for word in ("CUDA", "tensor", "launch"):
        assert word not in said, (word, said)
