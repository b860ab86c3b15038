"""The laboratory as pictures: pure, complete, legible, and true to the numbers that it is given."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import check_texts, flat, texts

from engine.fading import Fading
from engine.laboratory import (
    DRAWN,
    EXPERIMENTS,
    TRAINED,
    Bottleneck,
    Curve,
    Reach,
    Rows,
    Scale,
    Shuffled,
    Turn,
    Way,
    Width,
    Writing,
)
from widgets import captions, theme
from widgets.geometry import STRIP_PX, fit_screen
from widgets.hit import hit, named
from widgets.long_range_pages import is_element
from widgets.picture import Cells, Rect
from widgets.scenes import SCENES
from widgets.scenes.long_range import Laboratory, long_range, messages, now_words
from widgets.scenes.long_range.influence import path_words, seen
from widgets.scenes.long_range.position import amount
from widgets.scenes.long_range.subject import RADII_SHOWN, Fades
from widgets.scenes.long_range.writing import sums
from widgets.svg import svg
from widgets.view import View

GOLDENS = Path(__file__).parent / "goldens"
SAY = captions.load("en")
THEMES = ("light", "dark", "contrast", "contrast-dark")
BOXES = ((1188, 700), (1188, 728), (1244, 700), (1400, 788), (1188, 891))
WORDS = ("the", "cat", "that", "slept", "___")


def bottleneck(*, points: int = 99) -> Bottleneck:
    """Return five curves that fall at lengths of their own; so many of the points are measured."""
    lengths = tuple(range(2, 25))
    falls = {"rnn": 13.5, "gru": 12.5, "lstm": 14.5, "gru-luong": 18.5, "transformer": 16.5}
    titles = {
        "rnn": "RNN", "gru": "GRU", "lstm": "LSTM", "gru-luong": "GRU with attention (Luong)",
        "transformer": "Transformer",
    }  # fmt: skip

    def share(n: int, at: float) -> float:
        return round(1 / (1 + math.exp(1.7 * (n - at))), 3)

    return Bottleneck(
        "reverse", 16, lengths, 200,
        tuple(
            Curve(
                id, titles[id], 41_000 + i, f"{92 + i} numbers",
                tuple((n, share(n, at)) for n in lengths[:points]),
                tuple(tuple((n, share(n, at + off)) for n in lengths) for off in (-0.6, 0.8)),
            )
            for i, (id, at) in enumerate(falls.items())
        ),
    )  # fmt: skip


def reach(kind: str, words: tuple[str, ...] = WORDS) -> Reach:
    T = len(words)
    chain = kind == "chain"
    return Reach(
        "rnn" if chain else "transformer", "RNN with attention" if chain else "Transformer", kind,
        words, T - 1, "purrs", 0.86, tuple(0.1 + 0.07 * (t % 4) for t in range(T)),
        tuple(11 if chain else 16 for _ in words),
        tuple(26 + 3 * (T - 5 - t) if chain else 40 for t in range(T)),
        T if chain else 1,
    )  # fmt: skip


def fading(radius: float, orthogonal: bool, linear: bool) -> Fading:
    reads = np.arange(1, 129)
    rate = radius if linear else 0.94 * radius
    left = np.stack([rate**reads * off for off in (0.6, 1.0, 1.8)])
    return Fading(radius, orthogonal, linear, 64, left)


def fades(radii: tuple[float, ...] = RADII_SHOWN) -> tuple[tuple[tuple[float, bool], Fades], ...]:
    return tuple(
        ((r, o), Fades(fading(r, o, linear=False), fading(r, o, linear=True)))
        for r in radii for o in (False, True)
    )  # fmt: skip


def rows(entropy: float, T: int, sharp: float) -> Rows:
    scores = np.cos(np.add.outer(2.0 * np.arange(T), np.arange(T))) * sharp
    pattern = np.exp(scores)
    pattern /= pattern.sum(-1, keepdims=True)
    spread = (max(entropy - 0.06, 0), min(entropy + 0.06, 1))
    largest = float(pattern.max(-1).mean())
    return Rows(entropy, spread, largest, (largest - 0.02, largest), pattern.astype(np.float32))


def scale(words: tuple[str, ...] = WORDS) -> Scale:
    T = len(words)
    widths = [
        Width(8 * m, TRAINED, m, 13.0 + m, rows(0.3 - 0.03 * m, T, 3), rows(0.1 / m, T, 9))
        for m in range(1, 6)
    ]
    widths += [
        Width(d, DRAWN, 0, d**0.5, rows(0.84, T, 1), rows(1.4 / d**0.5, T, d**0.5))
        for d in (8, 16, 24, 32, 40, 64, 128, 256, 512)
    ]
    return Scale("transformer", "Transformer", words, 1, tuple(widths))


def shuffled(words: tuple[str, ...] = WORDS) -> tuple[Shuffled, ...]:
    T = len(words)
    order = tuple((t + 2) % T for t in range(T))
    moved = tuple(words[i] for i in order)

    def result(kind: str, positions: bool, apart: float) -> Shuffled:
        each = tuple(apart * (1 - 0.1 * (t % 3)) for t in range(T))
        return Shuffled(kind, kind, kind, positions, order, moved, each, min(apart, 0.9), False)

    return (result("grid", False, 5e-7), result("chain", False, 2.0), result("grid", True, 0.7))


def writing() -> Writing:
    digits = ("3", "7", "9", "7", "1", "1", "9", "0")
    right = tuple(reversed(digits))
    logits = np.zeros(11)

    def way(way: str, title: str, wrong: bool) -> Way:
        turns = tuple(
            Turn(
                9 if i == 0 else 9 + i if way == "anew" else 1, 9 + i, 0 if way == "anew" else 720,
                int(right[i]), logits, 88 if way == "chain" and not i else 16 if way == "chain"
                else 40, 790_016 + 92_000 * i if way == "anew" or not i else 89_000, 8e-4,
            )
            for i in range(8)
        )  # fmt: skip
        written = (*right[:-1], "5") if wrong else right
        return Way(way, title, title, written, turns)

    ways = (way("cache", "Transformer", False), way("anew", "Transformer", False),
            way("chain", "GRU", True))  # fmt: skip
    return Writing((*digits, "|"), right, ways, 1.4e-7, True)


@lru_cache(maxsize=8)
def whole() -> Laboratory:
    """Return a laboratory that has found everything."""
    return Laboratory(
        bottleneck=bottleneck(), reach=(reach("chain"), reach("grid")), fades=fades(),
        scale=scale(), shuffled=shuffled(), writing=writing(),
    )  # fmt: skip


@lru_cache(maxsize=64)
def of(experiment: str, radius: float = 1.0, orthogonal: bool = False) -> Laboratory:
    return replace(whole(), experiment=experiment, radius=radius, orthogonal=orthogonal)


@lru_cache(maxsize=8)
def of_sentence(experiment: str, count: int) -> Laboratory:
    words = tuple(f"word{i}" if i % 3 else "it" for i in range(count))
    return Laboratory(
        experiment, reach=(reach("chain", words), reach("grid", words)), fades=fades((1.0,)),
        scale=scale(words), shuffled=shuffled(words),
    )  # fmt: skip


def view_of(width: float = 1188, height: float = 728, name: str = "light", **more: Any) -> View:
    return View(width, height, theme.load(name), SAY, **more)


def ticks(subject: Laboratory) -> tuple[int, ...]:
    return tuple(sorted({0, 1, subject.last_tick // 2, subject.last_tick}))


CASES = (
    ("bottleneck", 14, "light"), ("bottleneck", 22, "dark"), ("influence", 2, "light"),
    ("influence", 5, "dark"), ("scale", 8, "light"), ("position", 4, "light"),
    ("writing", 5, "light"),
)  # fmt: skip


def golden(experiment: str, tick: int, name: str) -> Path:
    return GOLDENS / f"long-range-{experiment}-{tick}-{name}.svg"


def drawn(experiment: str, tick: int, name: str) -> str:
    return svg(long_range(of(experiment), float(tick), view_of(name=name, controls=name == "dark")))


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case)))
def test_pictures_are_the_golden_ones(case: tuple[str, int, str]) -> None:
    """Compare numbers within 0.05: processors round differently."""
    part = re.compile(r"-?\d+(?:\.\d+)?(?![0-9A-F]{2})")
    ours, theirs = drawn(*case), golden(*case).read_text(encoding="utf-8")
    assert part.sub("0", ours) == part.sub("0", theirs)
    for a, b in zip(part.findall(ours), part.findall(theirs), strict=True):
        assert abs(float(a) - float(b)) <= 0.05


@pytest.mark.parametrize("experiment", EXPERIMENTS)
@pytest.mark.parametrize("name", THEMES)
def test_every_text_is_within_the_picture_large_enough_and_upon_no_other(
    experiment: str, name: str
) -> None:
    subject = of(experiment)
    for (width, height), controls in itertools.product(BOXES, (True, False)):
        for tick in ticks(subject):
            view = view_of(width, height, name, controls=controls)
            picture = long_range(subject, tick, view)
            check_texts(picture, f"{experiment} {tick} {width}x{height} {controls}")


@pytest.mark.parametrize("experiment", ["influence", "scale", "position"])
@pytest.mark.parametrize("count", [2, 8, 12, 24, 64, 300])
def test_a_sentence_of_any_length_is_drawn_within_its_place(experiment: str, count: int) -> None:
    subject = of_sentence(experiment, count)
    for tick in ticks(subject):
        check_texts(long_range(subject, tick, view_of()), f"{experiment} {count} {tick}")


@pytest.mark.parametrize("radius", [0.5, 1.3, 2.0])
def test_at_every_radius_the_two_lines_are_named_side_by_side(radius: float) -> None:
    for controls in (True, False):
        picture = long_range(of("influence", radius), 5, view_of(controls=controls))
        check_texts(picture, f"radius {radius}")
        shown = [text.text for text in texts(picture)]
        assert {SAY("lab.fade.tanh"), SAY("lab.fade.linear")} <= set(shown)


SCREENS = ((1280, 720), (1600, 900), (1920, 1080), (1500, 1000), (1024, 768), (1280, 1024))


@pytest.mark.parametrize("experiment", EXPERIMENTS)
@pytest.mark.parametrize("screen", SCREENS)
def test_what_the_class_must_read_is_a_48th_of_the_screen_in_present(
    experiment: str, screen: tuple[int, int]
) -> None:
    width, height, by = fit_screen(screen[0], screen[1] - STRIP_PX, screen[1])
    subject = of(experiment)
    picture = long_range(subject, subject.last_tick, view_of(width, height, controls=False))
    check_texts(picture, f"{experiment} {screen}")
    must = [text for text in texts(picture) if text.read_by_class]
    assert len(must) > 6
    for text in must:
        assert text.size * by >= screen[1] / 48 - 1e-9, text.text


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_nothing_that_is_said_is_cut_in_the_smallest_box(experiment: str) -> None:
    subject = of(experiment)
    for tick in range(subject.last_tick + 1):
        shown = [text.text for text in texts(long_range(subject, tick, view_of(1188, 700)))]
        for sentence in messages(subject, tick, SAY):
            assert sentence in shown, sentence
        assert not [text for text in shown if text.endswith("…")]


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_name_is_a_choice_or_an_element_with_a_title(experiment: str) -> None:
    subject = of(experiment)
    for tick in range(subject.last_tick + 1):
        picture = long_range(subject, tick, view_of())
        for name, title, _ in named(picture):
            assert title, name
            assert name.startswith("choose:") or is_element(subject, name), name
            assert not is_element(of(EXPERIMENTS[EXPERIMENTS.index(experiment) - 1]), name), name
    names = [name for name, *_ in named(long_range(subject, 0, view_of()))]
    assert {f"choose:experiment:{id}" for id in EXPERIMENTS} <= set(names)
    figure = named(long_range(subject, subject.last_tick, view_of(controls=False)))
    assert figure
    assert not [name for name, *_ in figure if name.startswith("choose:")]


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_what_is_opened_has_a_ring_round_it(experiment: str) -> None:
    subject = of(experiment)
    tick = subject.last_tick
    plain = set(flat(long_range(subject, tick, view_of()).shapes))
    for name, _, _ in named(long_range(subject, tick, view_of())):
        if name.startswith(("choose:", "cell:")):
            continue
        opened = set(flat(long_range(subject, tick, view_of(selected=name)).shapes))
        rings = [s for s in opened - plain if isinstance(s, Rect) and s.stroke_width == 2]
        assert len(rings) == 1, name
        assert rings[0].stroke == theme.load("light").ink


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_the_same_is_drawn_twice_and_each_tick_otherwise(experiment: str) -> None:
    subject, view = of(experiment), view_of()
    forward = [svg(long_range(subject, t, view)) for t in range(subject.last_tick + 1)]
    back = [svg(SCENES["long-range"](subject, t, view)) for t in range(subject.last_tick + 1)]
    assert forward == back
    assert len(set(forward)) == len(forward)
    assert svg(long_range(subject, 99, view)) == forward[-1]
    assert svg(long_range(subject, -1, view)) == forward[0]


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_what_is_not_there_yet_is_said_or_why_it_will_not_be(experiment: str) -> None:
    empty = Laboratory(experiment)
    assert (empty.known, empty.last_tick, now_words(empty, 0, SAY)) == (False, 0, "")
    picture = long_range(empty, 0, view_of())
    check_texts(picture, experiment)
    assert SAY(f"lab.awaited.{experiment}") in [text.text for text in texts(picture)]
    problem = "The model rnn is missing; everything else still works, install it again."
    broken = long_range(Laboratory(experiment, problem=problem), 0, view_of())
    shown = " ".join(text.text for text in texts(broken))
    assert problem in shown
    assert SAY(f"lab.awaited.{experiment}") not in shown


@pytest.mark.parametrize("experiment", EXPERIMENTS)
@pytest.mark.parametrize("screen", SCREENS)
def test_in_present_all_that_is_said_is_read_in_as_many_lines_as_it_takes(
    experiment: str, screen: tuple[int, int]
) -> None:
    width, height, _ = fit_screen(screen[0], screen[1] - STRIP_PX, screen[1])
    subject = of(experiment)
    picture = long_range(subject, subject.last_tick, view_of(width, height, controls=False))
    shown = " ".join(text.text for text in texts(picture) if text.weight == 600)
    for sentence in messages(subject, subject.last_tick, SAY):
        assert sentence in shown


# ---- bottleneck ----------------------------------------------------------------------------------


def test_the_bottleneck_says_who_breaks_where_and_that_beyond_training_all_do() -> None:
    said = messages(of("bottleneck"), 0, SAY)
    assert said == (
        SAY("lab.bottleneck_both", broken="RNN at 14, GRU at 13, LSTM at 15", longest=16,
            kept="GRU with attention, Transformer"),
        SAY("lab.bottleneck_beyond", broken="GRU with attention at 19, Transformer at 17",
            longest=16),
    )  # fmt: skip
    assert "cannot" not in " ".join(said)


def test_where_none_breaks_or_all_do_the_bottleneck_says_so() -> None:
    found = bottleneck()
    for shares, key in ((1.0, "lab.bottleneck_none"), (0.2, "lab.bottleneck_all")):
        curves = tuple(
            replace(c, measured=tuple((n, shares) for n, _ in c.measured)) for c in found.curves
        )
        subject = Laboratory(bottleneck=replace(found, curves=curves))
        (said,) = messages(subject, 0, SAY)
        assert said.startswith(SAY(key, kept="", broken="", longest=16)[:12])
        check_texts(long_range(subject, 22, view_of()), key)


def test_while_it_is_measured_nothing_is_said_to_break() -> None:
    subject = Laboratory(bottleneck=bottleneck(points=14))
    assert messages(subject, 0, SAY) == (SAY("lab.measuring", done=70, all=115),)
    shown = [text.text for text in texts(long_range(subject, 0, view_of()))]
    assert not [text for text in shown if text.startswith("breaks")]
    later = [text.text for text in texts(long_range(subject, 22, view_of()))]
    assert later.count("—") == 5


def test_points_stand_as_high_as_their_shares_and_bands_hold_every_seed() -> None:
    subject = of("bottleneck")
    places = {name: box for name, _, box in named(long_range(subject, 0, view_of()))}
    assert subject.bottleneck is not None

    def middle(name: str) -> float:
        _, y, _, height = places[name]
        return y + height / 2

    full, none = middle("point:transformer:2"), middle("point:gru:24")
    for curve in subject.bottleneck.curves:
        for n, share in curve.measured:
            expected = none + (full - none) * share
            assert middle(f"point:{curve.model}:{n}") == pytest.approx(expected, abs=2.5)
        for n, low, high in curve.spread:
            assert low <= dict(curve.measured)[n] <= high


# ---- influence -----------------------------------------------------------------------------------


def test_a_chain_is_gone_back_one_word_a_tick_and_a_grid_all_at_once() -> None:
    chain, grid = reach("chain"), reach("grid")
    assert [sum(seen(chain, t)) for t in range(6)] == [0, 1, 2, 3, 4, 5]
    assert seen(chain, 2) == (False, False, False, True, True)
    assert [sum(seen(grid, t)) for t in range(6)] == [0, 5, 5, 5, 5, 5]
    assert path_words(chain, 0, SAY) == "11–26"
    assert path_words(replace(chain, shortest=(26,) * 5), 0, SAY) == "26"
    nowhere = replace(chain, shortest=(None,) * 5, longest=(None,) * 5)
    assert path_words(nowhere, 0, SAY) == SAY("lab.no_way")


def test_bars_are_as_long_as_the_shares_of_the_gradient() -> None:
    ink = theme.load("light").ink
    picture = long_range(of("influence"), 5, view_of())
    bars = [s for s in flat(picture.shapes) if isinstance(s, Rect) and s.fill == ink][:5]
    shares = reach("chain").share
    assert sum(shares) == pytest.approx(1)
    for bar, share in zip(bars, shares, strict=True):
        assert bar.height / bars[-2].height == pytest.approx(share / shares[-2])
    shown = [text.text for text in texts(picture)]
    assert sum(int(text[:-2]) for text in shown if text.endswith(" %")) == 200


def test_what_stands_in_a_row_has_one_size_however_narrow_it_is() -> None:
    for count in (5, 8, 12, 16, 18):
        subject = of_sentence("influence", count)
        assert subject.reach is not None
        shown = texts(long_range(subject, subject.last_tick, view_of(1188, 891)))
        for side in (0, 1):
            ways = {str(subject.reach[side].longest[0]), path_words(subject.reach[side], 0, SAY)}
            row = next(text for text in shown if text.text in ways)
            same = [text for text in shown if text.y == row.y and text.x < 660]
            assert len(same) == count
            assert len({text.size for text in same}) == 1


def test_the_shorter_chain_is_said_to_be_shorter_and_a_longer_one_is_not() -> None:
    short = messages(of("influence"), 0, SAY)[0]
    assert "5 reads of the chain, 1 look of the grid" in short
    assert "against 40, here still more" in short
    long = messages(of_sentence("influence", 24), 0, SAY)[0]
    assert "24 reads of the chain, 1 look of the grid" in long
    assert "against 40 at any length" in long
    assert "83 operations" in long
    assert "3 more a word" in long


@pytest.mark.parametrize(
    ("radius", "tanh", "linear"), [(0.5, "vanishes", "vanishes"), (1.0, "vanishes", "lasts"),
                                   (2.0, "explodes", "explodes")],
)  # fmt: skip
def test_what_becomes_of_a_gradient_is_said_as_it_was_computed(
    radius: float, tanh: str, linear: str
) -> None:
    said = messages(of("influence", radius), 0, SAY)[1]
    assert re.search(rf"{tanh} \(.*\) with tanh; without it, it {linear}", said), said


def test_points_of_a_gradient_stand_on_a_logarithmic_axis() -> None:
    for radius in (0.5, 1.0, 1.6, 2.0):
        picture = long_range(of("influence", radius), 0, view_of())
        box = {name: box for name, _, box in named(picture)}
        y = {t: box[f"fade:linear:{t}"][1] for t in (2, 32, 64, 128)}
        # Powers of the radius: twice the reads is twice as far from 1.
        assert y[64] - y[32] == pytest.approx((y[128] - y[64]) / 2, abs=0.6)
        assert (y[128] > y[2]) == (radius < 1) or radius == 1.0


def test_while_gradients_are_computed_the_plot_says_so() -> None:
    subject = replace(of("influence"), fades=())
    picture = long_range(subject, 0, view_of())
    assert SAY("lab.fades_awaited") in [text.text for text in texts(picture)]
    assert len(messages(subject, 0, SAY)) == 1


# ---- scale ---------------------------------------------------------------------------------------


def test_a_pattern_is_that_of_the_width_of_now_and_its_basis_is_said() -> None:
    subject = of("scale")
    assert subject.widths == (8, 16, 24, 32, 40, 64, 128, 256, 512)
    for tick, d in enumerate(subject.widths):
        found = subject.at_width(d)
        assert found.basis == (TRAINED if d <= 40 else DRAWN)
        picture = long_range(subject, tick, view_of())
        cells = [s for s in flat(picture.shapes) if isinstance(s, Cells)]
        assert [c.name for c in cells] == ["cell:divided", "cell:plain"]
        shown = [text.text for text in texts(picture)]
        assert f"d = {d}" in shown
        heads = SAY("lab.of_trained", count=found.heads) if d <= 40 else SAY("lab.of_drawn")
        assert heads in shown
        x, y = cells[0].x + 0.5 * cells[0].width / 5, cells[0].y + 2.5 * cells[0].height / 5
        assert hit(picture, x, y) == "cell:divided[2,0]"
        number = f"{100 * float(found.divided.pattern[2, 0]):.0f}"
        assert number in shown


def test_why_is_said_with_the_spread_of_the_scores() -> None:
    said = messages(of("scale"), 0, SAY)
    assert "8.0 times as far, 2.8 to 23; √d grows 8.0 times" in said[1]
    assert "0.06" in said[0]
    assert "0.84" in said[0]


# ---- position ------------------------------------------------------------------------------------


def test_panels_are_compared_one_after_another() -> None:
    subject = of("position")
    assert subject.last_tick == 4
    verdicts = [SAY("lab.same_set", difference="5e−7"), SAY("lab.another", difference="2"),
                SAY("lab.another", difference="0.7")]  # fmt: skip
    for tick in range(5):
        shown = [text.text for text in texts(long_range(subject, tick, view_of()))]
        assert [words in shown for words in verdicts] == [tick >= 2 + i for i in range(3)]
    assert messages(subject, 4, SAY)[0] == (
        SAY("lab.position.grid.same") + " " + SAY("lab.position.chain.changed")
    )
    assert "70 points" in messages(subject, 4, SAY)[1]


@pytest.mark.parametrize("tick", [0, 4])
def test_words_that_have_no_room_side_by_side_stand_whole_in_two_rows(tick: int) -> None:
    sentence = tuple("the farmer near the old dogs sleeps ___".split())
    picture = long_range(replace(of("position"), shuffled=shuffled(sentence)), tick, view_of())
    check_texts(picture, f"eight words at tick {tick}")
    read = [text.text for text in texts(picture)]
    assert not [text for text in read if "…" in text]
    for word in set(sentence):
        assert read.count(word) == 3 * (1 if tick == 0 else 2) * sentence.count(word), word


def test_without_position_encoding_there_is_no_third_panel() -> None:
    subject = replace(of("position"), shuffled=shuffled()[:2])
    assert subject.last_tick == 3
    check_texts(long_range(subject, 3, view_of()), "two panels")
    assert len([n for n, *_ in named(long_range(subject, 3, view_of())) if "panel:" in n]) == 2


def test_what_is_equal_to_the_last_bit_is_said_to_be() -> None:
    first, *others = shuffled()
    same = replace(first, difference=(0.0,) * 5, equal=True)
    subject = replace(of("position"), shuffled=(same, *others))
    shown = [text.text for text in texts(long_range(subject, 2, view_of()))]
    assert SAY("lab.equal") in shown
    assert amount(0.0) == "0"


def test_a_chain_that_did_not_change_is_not_said_to_have() -> None:
    grid, chain, positions = shuffled()
    subject = replace(
        of("position"), shuffled=(grid, replace(chain, difference=(1e-7,) * 5), positions)
    )
    assert SAY("lab.position.chain.same") in messages(subject, 3, SAY)


# ---- writing -------------------------------------------------------------------------------------


def test_sums_count_up_with_the_tick_and_what_goes_through_is_framed() -> None:
    subject = of("writing")
    assert subject.last_tick == 8
    yellow = theme.load("light").now_edge
    for tick in range(9):
        picture = long_range(subject, tick, view_of())
        shown = [text.text for text in texts(picture)]
        assert subject.writing is not None
        depth, _, _ = sums(subject.writing.way("cache"), tick)
        assert depth == 40 * tick
        assert str(depth) in shown
        frames = [s for s in picture.shapes if isinstance(s, Rect) and s.stroke == yellow]
        assert len(frames) == (3 if tick else 0)
        if tick > 1:
            cache, anew, chain = (frame.width for frame in frames)
            assert cache == chain
            assert anew > (tick + 7) * cache * 0.8


def test_a_wrong_digit_is_crossed_and_counted() -> None:
    subject = of("writing")
    shown = [text.text for text in texts(long_range(subject, 8, view_of()))]
    assert SAY("lab.way_wrong", way=SAY("lab.way.chain", model="GRU"), count=1) in shown
    before = [text.text for text in texts(long_range(subject, 7, view_of()))]
    assert not [text for text in before if text.endswith("wrong")]


def test_reading_is_told_before_writing_and_the_cache_with_what_it_saves() -> None:
    subject = of("writing")
    assert messages(subject, 0, SAY) == (SAY("lab.writing_first", count=9),)
    assert "40 deep" in messages(subject, 1, SAY)[0]
    assert "88 deep" in messages(subject, 1, SAY)[0]
    each, cache = messages(subject, 8, SAY)
    assert "8 are 320 deep with the cache, 320 without" in each
    assert "1.4 M FLOPs for 8.9 M" in cache.replace("\u00a0", " ")
    assert SAY("lab.writing_same", difference="1.4e−7") in cache
