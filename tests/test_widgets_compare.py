"""A | B: what was changed is found, what differs is so, and nothing is shown before its tick."""

from __future__ import annotations

import itertools
import re
import time
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pictures import box_of, flat, texts

from app.compute import make_pair, model
from engine.models import Config, Model, initialise, run
from engine.ops import Ops
from engine.trace import Pair, Trace
from widgets import captions, numbers, theme
from widgets.geometry import STRIP_PX, fit_screen
from widgets.hit import bounds, named
from widgets.picture import Rect, Text
from widgets.remember import forget
from widgets.scenes.compare import Side, compare
from widgets.scenes.compare.findings import changed, heads, largest_change, states_apart, verdict
from widgets.svg import svg
from widgets.view import View

GOLDENS = Path(__file__).parent / "goldens"
SENTENCES = {
    3: "the cat ___",
    5: "the cat that slept ___",
    12: "the small birds behind the big houses near the river ___ quietly",
}
SENTENCES[32] = (
    f"{SENTENCES[12]} and the clever doctors that the painter likes see the lamps today while the "
    "red candles under the table burn"
)
SENTENCES[64] = f"{SENTENCES[32]} {SENTENCES[32].replace('___', 'chirp')}"
say = captions.load("en")


def swapped(text: str, i: int, j: int) -> str:
    words = text.split()
    words[i], words[j] = words[j], words[i]
    return " ".join(words)


def replaced(text: str, i: int, word: str) -> str:
    return " ".join(word if k == i else w for k, w in enumerate(text.split()))


@lru_cache(maxsize=64)
def pair_of(
    text: str,
    chain: str = "rnn",
    grid: str = "transformer",
    positions: bool = True,
    trained: bool = True,
) -> Pair:
    """Return a pair with times and threads that do not change from run to run."""
    pair = make_pair(text, chain, grid, positions=positions, trained=trained).pair
    return replace(pair, chain=steady(pair.chain, 71e-6), grid=steady(pair.grid, 310e-6))


def steady(trace: Trace, seconds: float) -> Trace:
    return replace(trace, facts=replace(trace.facts, threads=1), seconds=seconds)


def view_of(
    width: float = 1188, height: float = 728, name: str = "light", **chosen: object
) -> View:
    return View(width, height, theme.load(name), say, **chosen)  # type: ignore[arg-type]


def sides(a: Pair, b: Pair, tick: int = 10_000, other: int | None = None) -> tuple[Side, Side]:
    return Side(a, tick, "A: frozen"), Side(b, tick if other is None else other, "B: now")


KINDS = (
    "same", "swapped", "order", "word", "words", "sentence", "longer", "shorter", "hidden", "cell",
    "attention", "both", "causal", "positions", "trained", "set", "precision", "blind",
)  # fmt: skip


def change(kind: str, tokens: int = 5) -> tuple[Pair, Pair]:
    """Return two pairs of which the second is changed in one way."""
    text = SENTENCES[tokens]
    words = text.split()
    last = next(i for i in reversed(range(tokens)) if words[i] not in ("___", words[0]))
    a = pair_of(text, positions=kind != "blind")
    if kind in ("swapped", "blind"):
        return a, pair_of(swapped(text, 0, last), positions=kind != "blind")
    if kind == "order":
        return a, pair_of(" ".join([*words[1:], words[0]]))
    if kind == "words":
        return a, pair_of(replaced(replaced(text, 0, "dogs"), last, "dogs"))
    hidden = [w if w != "___" else "purrs" for w in words]
    hidden[1] = "___"
    return a, {
        "same": lambda: pair_of(f"{text} "),
        "word": lambda: pair_of(replaced(text, 1, "dog")),
        "sentence": lambda: pair_of("dogs near many lamps sleep ___"),
        "longer": lambda: pair_of(f"{text} today"),
        "shorter": lambda: pair_of(" ".join(words[1:])),
        "hidden": lambda: pair_of(" ".join(hidden)),
        "cell": lambda: pair_of(text, "lstm"),
        "attention": lambda: pair_of(text, "rnn-plain"),
        "both": lambda: pair_of(text, "rnn-bi"),
        "causal": lambda: pair_of(text, grid="transformer-causal"),
        "positions": lambda: pair_of(text, positions=False),
        "trained": lambda: pair_of(text, trained=False),
        "set": lambda: pair_of(text, "rnn-50k"),
        "precision": lambda: make_pair(text, "rnn", "transformer", precision="float16").pair,
    }[kind]()


# ------------------------------------------------------------------ what can be read


@pytest.mark.parametrize("tokens", list(SENTENCES))
@pytest.mark.parametrize("kind", KINDS)
def test_no_text_is_small_or_cut_off_or_upon_another(tokens: int, kind: str) -> None:
    a, b = change(kind, tokens)
    ends = (0, 3, 6, a.last_tick)
    boxes_px = ((1188, 700), (1188, 902), (1244, 700), (1700, 1000))
    for (width, height), tick in itertools.product(boxes_px, ends):
        for one, other in ((a, b), (b, a)):
            picture = compare(*sides(one, other, tick, b.last_tick), view_of(width, height))
            boxes = [(t, box_of(t)) for t in texts(picture)]
            for text, _ in boxes:
                assert text.size >= 14, text
                assert text.text != "…", text
            for shape in flat(picture.shapes):
                box = bounds(shape)
                if box is None or (isinstance(shape, Text) and not shape.text):
                    continue
                assert min(box[0], box[1]) >= 0, shape
                assert box[2] <= picture.width, shape
                assert box[3] <= picture.height, shape
            for (m, p), (n, q) in itertools.combinations(boxes, 2):
                across = min(p[2], q[2]) - max(p[0], q[0])
                down = min(p[3], q[3]) - max(p[1], q[1])
                assert across <= 1 or down <= 1, f"tick {tick}: {m.text!r} lies upon {n.text!r}"


SCREENS = (
    (1280, 720), (1600, 900), (1920, 1080), (1920, 1200), (1500, 1000), (1024, 768), (1400, 1050),
    (1280, 1024), (2560, 1080),
)  # fmt: skip


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("tokens", [3, 5, 12, 32])
def test_what_the_class_must_read_is_a_48th_of_the_screen_in_present(
    screen: tuple[int, int], tokens: int
) -> None:
    width, height, scale = fit_screen(screen[0], screen[1] - STRIP_PX, screen[1])
    a, b = change("word", tokens)
    must = [t for t in texts(compare(*sides(a, b), view_of(width, height))) if t.read_by_class]
    said = {t.text for t in must}
    for pair in (a, b):  # every word, or the start of one that is too long where it is turned
        narrow = tokens == 32 and 2 * screen[0] <= 3 * screen[1]  # then those that differ
        for i, word in enumerate(pair.tokens):
            if narrow and a.tokens[i] == b.tokens[i]:
                continue
            assert word == "___" or any(
                word.startswith(s.removesuffix("…")) or word in s for s in said if s
            )
    assert {verdicts(a, b)[0], verdicts(a, b)[1]} <= said
    for text in must:
        assert text.size * scale >= screen[1] / 48 - 1e-9, text.text


def verdicts(a: Pair, b: Pair, tick: int = 10_000) -> tuple[str, str]:
    """Return the largest two lines of the picture, top first."""
    found = texts(compare(*sides(a, b, tick), view_of()))
    most = max(t.size for t in found)
    large = [t for t in found if t.size == most]
    assert len(large) == 2  # nothing else is as large as what the two models make of the change
    top, bottom = sorted(large, key=lambda t: t.y)
    return top.text, bottom.text


@pytest.mark.parametrize("name", theme.NAMES)
def test_yellow_is_the_ticks_only_and_every_theme_says_the_same(name: str) -> None:
    a, b = change("trained")
    light = compare(*sides(a, b, 5, 13), view_of())
    picture = compare(*sides(a, b, 5, 13), view_of(name=name))
    assert [t.text for t in texts(picture)] == [t.text for t in texts(light)]
    yellow = {theme.load(name).now, theme.load(name).now_edge}
    pills = [s for s in flat(picture.shapes) if getattr(s, "fill", None) in yellow]
    assert len(pills) == 2
    ticks = [t.text for t in texts(picture) if re.fullmatch(r"[AB]: tick \d+", t.text)]
    assert sorted(ticks) == ["A: tick 5", "B: tick 13"]
    assert not [s for s in flat(picture.shapes) if getattr(s, "stroke", None) in yellow]


def test_no_shape_has_a_name_because_an_elements_name_does_not_say_whose_it_is() -> None:
    picture = compare(*sides(*change("word")), view_of())
    assert named(picture) == ()
    assert [s for s in flat(picture.shapes) if isinstance(s, Rect) and s.title]


# ------------------------------------------------------------------ what was changed


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("same", "nothing was changed"),
        ("swapped", "“the” and “slept” changed places (words 1 and 4)"),
        ("order", "the same words in another order: 5 have moved"),
        ("word", "word 2: “cat” → “dog”"),
        ("words", "2 words were replaced"),
        ("sentence", "another sentence"),
        ("longer", "put in: “today”"),
        ("shorter", "taken out: “the”"),
        ("hidden", "hidden word: “purrs” (word 5) → “cat” (word 2)"),
        ("cell", "cell: RNN → LSTM"),
        ("attention", "attention over states: on → off"),
        ("both", "reads from both sides: off → on"),
        ("causal", "causal mask: off → on"),
        ("positions", "position: on → off"),
        ("trained", "trained weights: on → off"),
        ("set", "chain: rnn → rnn-50k"),
        ("precision", "precision: float32 → float16"),
    ],
)
def test_what_was_changed_is_one_line_at_the_top(kind: str, line: str) -> None:
    a, b = change(kind)
    picture = compare(*sides(a, b), view_of())
    first = sorted(texts(picture), key=lambda t: (t.y, t.x))
    assert line in [t.text for t in first[:3]]
    assert picture.description.startswith(f"A | B: {line}. ")


def test_every_kind_of_change_is_found_in_both_directions() -> None:
    for kind in KINDS[1:]:
        a, b = change(kind)
        there, back = changed(a, b), changed(b, a)
        assert len(there) == len(back) == 1, kind
        assert there != back or kind in ("words", "sentence", "order")


def test_two_changes_are_both_said() -> None:
    a, b = pair_of(SENTENCES[5]), pair_of("the dog that slept ___", "gru-plain-50k")
    assert [c.what for c in changed(a, b)] == ["word", "cell", "attention", "chain"]


@pytest.mark.parametrize("kind", ["swapped", "word", "hidden", "longer", "shorter"])
def test_words_that_differ_are_marked_and_no_others(kind: str) -> None:
    a, b = change(kind)
    picture = compare(*sides(a, b), view_of())
    dark = theme.load("light").ink
    boxes = [s for s in flat(picture.shapes)
             if isinstance(s, Rect) and re.fullmatch(r"\d+: .+", s.title)]  # fmt: skip
    middle = picture.width / 2
    for pair, other in ((a, b), (b, a)):
        shown = {r.title for r in boxes if (r.x < middle) == (pair is a) and r.fill == dark}
        mine, theirs = list(pair.tokens), list(other.tokens)
        if len(mine) == len(theirs):
            expected = {i for i in range(len(mine)) if mine[i] != theirs[i]}
        else:
            expected = {mine.index(w) for w in mine if w not in theirs}
        assert shown == {f"{i + 1}: {mine[i]}" for i in expected}


def test_of_many_words_those_that_differ_are_counted_and_the_first_are_named() -> None:
    a, b = change("words", 64)
    said = [t.text for t in texts(compare(*sides(a, b), view_of()))]
    assert say("compare.words_differ", count=2, all=64) in said
    assert "1: “the” → “dogs”" in said
    assert a.tokens[5] not in said  # the others have no room


# ------------------------------------------------------------------ the lesson


def test_without_positions_two_swapped_words_are_nothing_to_the_grid_but_all_to_the_chain() -> None:
    a, b = change("blind")
    chain, grid = verdicts(a, b)
    assert chain.startswith("RNN: “purrs” 86 % → ")
    assert grid == "Transformer: the same but for rounding"
    said = next(t.text for t in texts(compare(*sides(a, b), view_of())) if "no order" in t.text)
    most = float(re.search(r"within (0\.\d+) points", said)[1])  # type: ignore[index]
    p, q = (pair.grid.value("answer.probabilities").astype(float) for pair in (a, b))
    assert 0 < 100 * abs(p - q).max() <= most < 0.01


@pytest.mark.parametrize("tokens", list(SENTENCES))
def test_what_is_called_rounding_vanishes_in_double_precision(tokens: int) -> None:
    """Swap words of a grid without positions in float32, and again in float64."""
    a, b = change("blind", tokens)
    assert verdict(*sides(a, b), "grid").how in ("rounding", "bits")
    shipped = model("transformer")
    exact = replace(
        shipped,
        config=replace(shipped.config, positions="none"),
        parameters={k: v.astype(np.float64) for k, v in shipped.parameters.items()},
    )
    found = [
        run(exact, pair.grid.value("tokens"), hidden=pair.grid.hidden, ops=Ops())
        .value("answer.probabilities") for pair in (a, b)
    ]  # fmt: skip
    assert found[0].dtype == np.float64
    assert abs(found[0] - found[1]).max() < 1e-14


def test_with_positions_a_swap_is_no_rounding() -> None:
    a, b = change("swapped")
    assert verdict(*sides(a, b), "grid").how in ("still", "other")
    assert "rounding" not in " ".join(verdicts(a, b))


def test_a_difference_that_is_as_small_is_not_called_rounding_where_order_is_seen() -> None:
    text = SENTENCES[32]
    a, b = pair_of(text), pair_of(swapped(text, 19, 20))
    found = verdict(*sides(a, b), "grid")
    assert (found.how, found.cause) == ("close", "")
    assert verdicts(a, b)[1] == "Transformer: the same to within 0.001 points"
    p, q = (pair.grid.value("answer.probabilities").astype(float) for pair in (a, b))
    assert abs(p - q).max() < 0.001 / 100


def test_with_a_mask_order_is_something_even_without_positions() -> None:
    text = SENTENCES[5]
    a = pair_of(text, grid="transformer-causal", positions=False)
    b = pair_of(swapped(text, 0, 2), grid="transformer-causal", positions=False)
    assert verdict(*sides(a, b), "grid").how != "rounding"


@pytest.mark.parametrize("kind", ["attention", "cell", "both", "set"])
def test_a_change_of_the_chain_leaves_the_grid_the_same_to_the_last_bit(kind: str) -> None:
    a, b = change(kind)
    assert verdicts(a, b)[1] == "Transformer: the same to the last bit"
    assert np.array_equal(
        a.grid.value("answer.probabilities"), b.grid.value("answer.probabilities")
    )


@pytest.mark.parametrize("kind", ["causal", "positions"])
def test_a_change_of_the_grid_leaves_the_chain_the_same_to_the_last_bit(kind: str) -> None:
    assert verdicts(*change(kind))[0] == "RNN: the same to the last bit"


def test_two_runs_of_one_thing_say_that_nothing_differs() -> None:
    a, b = change("same")
    assert a is not b
    picture = compare(*sides(a, b), view_of())
    said = [t.text for t in texts(picture)]
    assert verdicts(a, b) == (
        "RNN: the same to the last bit", "Transformer: the same to the last bit",
    )  # fmt: skip
    for line in ("compare.nothing", "compare.unmoved", "compare.states_same"):
        assert say(line) in said
    assert say("compare.same_words", count=5) in said
    assert not [t for t in said if re.fullmatch(r"[+−]\d+", t)]


def test_the_verdict_names_both_answers_and_what_is_likely_of_them() -> None:
    for kind in ("trained", "hidden", "sentence", "causal", "attention", "longer"):
        a, b = change(kind)
        for side, line in zip(("chain", "grid"), verdicts(a, b), strict=True):
            old, new = a.side(side), b.side(side)
            best = [t.answer(1)[0][0] for t in (old, new)]
            shares = [whole(t)[w] for t, w in zip((old, new), best, strict=True)]
            if np.array_equal(old.value("answer.probabilities"), new.value("answer.probabilities")):
                assert line.endswith("the same to the last bit")
            elif best[0] == best[1] and shares[0] == shares[1]:
                assert line.endswith(f"still “{best[0]}”, {shares[0]} %")
            elif best[0] == best[1]:
                assert line.endswith(f"still “{best[0]}”, {shares[0]} % → {shares[1]} %")
            else:
                assert line.endswith(f"“{best[0]}” {shares[0]} % → “{best[1]}” {shares[1]} %")


# ------------------------------------------------------------------ the differences


@pytest.mark.parametrize(
    ("by", "said"),
    [(-0.01, "−1 point"), (0.01, "+1 point"), (-0.02, "−2 points"), (1e-4, "+0.01 points")],
)
def test_one_point_is_no_points(by: float, said: str) -> None:
    pair = pair_of(SENTENCES[5])
    places = [pair.grid.vocabulary.index(word) for word, _ in pair.grid.answer(3)]

    def answering(*shares: float) -> Pair:
        """Return the pair with these shares of the three likeliest words."""
        value = np.zeros(len(pair.grid.vocabulary))
        value[places] = shares
        steps = [
            replace(step, value=value) if step.name == "answer.probabilities" else step
            for step in pair.grid.steps
        ]
        return replace(pair, grid=replace(pair.grid, steps=steps))

    a, b = answering(0.6, 0.3, 0.1), answering(0.6 + by, 0.3 - by / 2, 0.1 - by / 2)
    found = texts(compare(*sides(a, b), view_of(1700)))
    assert any(text.text.endswith(f" {said}") for text in found)


def whole(trace: Trace) -> dict[str, int]:
    """Return the whole per cents of every word of the answer."""
    shares = numbers.percents(trace.value("answer.probabilities"))
    return dict(zip(trace.vocabulary, shares, strict=True))


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "same"])
@pytest.mark.parametrize("tokens", [5, 32])
def test_points_are_the_per_cents_of_b_less_those_of_a(kind: str, tokens: int) -> None:
    a, b = change(kind, tokens)
    picture = compare(*sides(a, b), view_of())
    middle = picture.width / 2
    for side, right in (("chain", False), ("grid", True)):
        shown = {
            t.title: t.text for t in texts(picture)
            if t.title and t.anchor == "end" and abs(t.x - middle) < 0.14 * picture.width
            and (t.x > middle + 40) == right and re.fullmatch(r"[+−]?\d+", t.text)
        }  # fmt: skip
        old, new = whole(a.side(side)), whole(b.side(side))
        words = {w for pair in (a, b) for w, _ in pair.side(side).answer(3)}
        assert shown.keys() == words
        for word, text in shown.items():
            assert int(text.replace("−", "-")) == new[word] - old[word]
            assert "-" not in text  # a true minus


def test_bars_of_all_answers_are_on_one_scale() -> None:
    a, b = change("attention")
    picture = compare(*sides(a, b), view_of())
    bars = {}
    for s in flat(picture.shapes):
        found = isinstance(s, Rect) and re.fullmatch(r"(\w+): (\d+) % in ([AB])", s.title)
        if isinstance(s, Rect) and found and int(found[2]) > 20:
            bars[found[1], found[3], s.x] = (s.width, int(found[2]))
    scales = [width / share for width, share in bars.values()]
    assert len(bars) == 4  # purrs of both models on both sides
    assert max(scales) / min(scales) < 1.03  # whole per cents


def rows_of(pair: Pair, layer: int, query: int) -> NDArray[np.float64]:
    found: NDArray[np.float64] = pair.grid.value(f"blocks.{layer}.attn.pattern")[:, query].astype(
        np.float64
    )
    return found


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("kind", ["swapped", "blind", "word", "causal", "positions", "trained"])
def test_heads_are_compared_word_by_word(kind: str, layer: int) -> None:
    a, b = change(kind)
    old, new = rows_of(a, layer, 4), rows_of(b, layer, 4)
    if kind in ("swapped", "blind"):
        new = new[:, [3, 1, 2, 0, 4]]  # each word where it stood before
    found = heads(*sides(a, b), layer, None)
    assert [row.head for row in found] == list(range(5))
    for h, row in enumerate(found):
        assert row.distance == pytest.approx(np.clip(new[h] - old[h], 0, None).sum(), abs=1e-6)
        at = int(old[h].argmax())
        before, after = numbers.percents(old[h])[at], numbers.percents(new[h])[at]
        assert row.points is not None
        assert abs(row.points - (after - before)) <= 1  # remainders are rounded up in their order
        assert row.looks[0] is not None
        assert (row.looks[0].at, row.looks[0].percent) == (at, before)


def test_without_positions_every_head_looks_at_the_same_words_in_another_order() -> None:
    a, b = change("blind")
    for row in heads(*sides(a, b), None, None):
        assert row.distance is not None
        assert row.distance < 1e-5
        assert row.looks[0] is not None
        assert row.looks[1] is not None
        assert a.tokens[row.looks[0].at] == b.tokens[row.looks[1].at]


def test_rows_of_other_words_are_not_compared_and_that_is_said() -> None:
    a, b = pair_of(SENTENCES[5]), pair_of(SENTENCES[12])
    assert all(row.distance is None for row in heads(*sides(a, b), None, None))
    assert say("compare.no_rows") in [t.text for t in texts(compare(*sides(a, b), view_of()))]


def test_the_block_and_the_asking_word_are_those_that_are_chosen() -> None:
    a, b = change("word")
    picture = compare(*sides(a, b), view_of(layer=0, query=1))
    label = say("compare.block", block=1, asks=say("rt.quoted", word="cat"))
    assert label in [t.text for t in texts(picture)]
    found = heads(*sides(a, b), 0, 1)
    for h, row in enumerate(found):
        assert row.looks[0] is not None
        assert row.looks[0].at == rows_of(a, 0, 1)[h].argmax()


def test_of_many_heads_those_that_changed_most_are_shown_and_that_is_said() -> None:
    words = ("<pad>", "<unk>", "___", "the", "cat", "that", "slept", "purrs")
    config = Config(kind="grid", words=8, embedding=16, width=16, heads=8, layers=1, mlp=6)
    many = Model("many", config, initialise(config, np.random.default_rng(3)), words, {})
    pairs = []
    for ids in ([3, 4, 5, 6, 2], [5, 4, 3, 6, 2]):
        tokens = tuple(words[i] for i in ids)
        grid = run(many, ids, hidden=4, ops=Ops(), words=tokens)
        text = " ".join(tokens)
        pairs.append(replace(pair_of(text), grid=grid))
    a, b = pairs
    old, new = rows_of(a, 0, 4), rows_of(b, 0, 4)[:, [2, 1, 0, 3, 4]]
    far = abs(new - old).sum(axis=1)
    found = heads(*sides(a, b), None, None)
    assert {row.head for row in found} == set(np.argsort(-far)[:5].tolist())
    said = [t.text for t in texts(compare(*sides(a, b), view_of(1188, 700)))]
    assert said.count("5 of 8 heads") == 2


def test_the_largest_change_of_the_attention_over_states_is_named() -> None:
    a, b = change("trained")
    p, q = (pair.chain.value("attn.pattern").astype(float) for pair in (a, b))
    at = int(abs(p - q).argmax())
    found = largest_change(*sides(a, b))
    assert found is not None
    assert (found.word, found.there) == (at, at)
    line = say("compare.moved", word=a.tokens[at], a=numbers.percents(p)[at],
               b=numbers.percents(q)[at])  # fmt: skip
    assert line in [t.text for t in texts(compare(*sides(a, b), view_of()))]


def test_the_heights_of_both_sides_weights_are_on_one_scale() -> None:
    a, b = change("trained")
    picture = compare(*sides(a, b), view_of())
    bars = {
        (found[1], found[3]): s.height
        for s in flat(picture.shapes)
        if isinstance(s, Rect)
        and (found := re.fullmatch(r"([AB]): (\d+) % of the .*after “(\w+)”", s.title))
    }
    for pair, side in ((a, "A"), (b, "B")):
        for word, weight in zip(pair.tokens, pair.chain.value("attn.pattern"), strict=True):
            expected = bars["A", "cat"] * float(weight) / float(a.chain.value("attn.pattern")[1])
            assert bars[side, word] == pytest.approx(max(expected, 0.5), abs=1e-3)


def test_how_far_the_last_states_lie_apart_is_their_distance() -> None:
    a, b = change("word")
    found = states_apart(*sides(a, b))
    p, q = (pair.chain.value("rnn.h.5").astype(float) for pair in (a, b))
    assert found is not None
    assert found.distance == pytest.approx(float(((p - q) ** 2).sum() ** 0.5))
    assert found.length == pytest.approx(float((p**2).sum() ** 0.5))
    said = [t.text for t in texts(compare(*sides(a, b), view_of()))]
    distance, length = numbers.value(found.distance), numbers.value(found.length)
    assert say("compare.apart", distance=distance, length=length) in said


def test_the_last_state_of_both_directions_has_both_ends() -> None:
    a, b = (pair_of(t, "rnn-bi") for t in (SENTENCES[5], "the dog that slept ___"))
    found = states_apart(*sides(a, b))
    ends = [
        np.concatenate([p.chain.value("rnn.h.5"), p.chain.value("rnn.back.h.1")]) for p in (a, b)
    ]  # fmt: skip
    assert found is not None
    assert found.distance == pytest.approx(float(np.linalg.norm(ends[1] - ends[0])), rel=1e-6)


@pytest.mark.parametrize("kind", ["cell", "attention", "both", "trained", "set"])
def test_states_of_other_weights_are_not_compared(kind: str) -> None:
    assert states_apart(*sides(*change(kind))) is None


def test_depth_work_and_time_of_both_sides_and_how_they_relate() -> None:
    a, b = change("cell")
    said = [t.text for t in texts(compare(*sides(a, b), view_of()))]
    for pair in (a, b):
        assert str(pair.chain.depth) in said
        assert numbers.count(pair.chain.flops) in said
        assert numbers.seconds(pair.chain.seconds) in said
    assert f"+{b.chain.depth - a.chain.depth}" in said
    assert f"× {b.chain.flops / a.chain.flops:.2f}" in said


@pytest.mark.parametrize("kind", ["attention", "cell", "precision", "word", "longer"])
def test_times_of_the_same_work_are_not_said_to_differ(kind: str) -> None:
    a, b = change(kind)
    b = replace(b, chain=steady(b.chain, 50e-6), grid=steady(b.grid, 200e-6))  # a busy machine
    ratios = {
        side: say("compare.times", value=f"{new.seconds / old.seconds:.2f}")
        for side, old, new in (("chain", a.chain, b.chain), ("grid", a.grid, b.grid))
    }
    said = [t.text for t in texts(compare(*sides(a, b), view_of()))]
    same = {"attention": ["grid"], "cell": ["grid"], "word": ["chain", "grid"]}.get(kind, [])
    assert [side for side in ratios if ratios[side] not in said] == same
    assert said.count(say("compare.noise")) == len(same)


# ------------------------------------------------------------------ nothing before its tick


def unknown_after(pair: Pair, tick: int) -> Pair:
    """Return a pair that holds no number of any step that comes after a tick."""

    def cut(trace: Trace) -> Trace:
        steps = [
            step if trace.ticks[step.stage] <= tick
            else replace(step, value=np.full_like(step.value, -1))
            for step in trace.steps
        ]  # fmt: skip
        return replace(trace, steps=steps)

    return replace(pair, chain=cut(pair.chain), grid=cut(pair.grid))


@pytest.mark.parametrize("kind", ["blind", "attention", "sentence", "trained"])
def test_no_number_is_shown_before_the_tick_that_computes_it(kind: str) -> None:
    a, b = change(kind)
    for tick in range(a.last_tick):
        for one, other in ((tick, tick), (tick, b.last_tick), (a.last_tick, tick)):
            real = compare(*sides(a, b, one, other), view_of())
            cut = sides(unknown_after(a, one), unknown_after(b, other), one, other)
            assert list(flat(compare(*cut, view_of()).shapes)) == list(flat(real.shapes))


def test_what_is_not_computed_yet_is_an_outline_and_the_verdict_waits() -> None:
    a, b = change("same")
    ghost = theme.load("light").ghost
    counts = []
    for tick in (0, 4, 7, 13):
        picture = compare(*sides(a, b, tick), view_of())
        counts.append(sum(getattr(s, "stroke", None) == ghost for s in flat(picture.shapes)))
    assert counts == [2 + 2 * 2 * 3 + 2 * 5 * 2, 2 + 2 * 2 * 3, 2 * 3, 0]
    assert verdicts(a, b, 4)[0] == "RNN: so far the same to the last bit"
    a, b = change("word")
    assert verdicts(a, b, 7)[0].startswith("RNN: “purrs”")
    assert verdicts(a, b, 7)[1] == "Transformer: no answer yet"
    picture = compare(*sides(a, b, 13, 7), view_of())
    assert "Transformer: B has no answer yet" in [t.text for t in texts(picture)]


def test_a_tick_beyond_the_last_is_the_last() -> None:
    a, b = change("word")
    beyond = compare(*sides(a, b, 99, -3), view_of())
    assert beyond == compare(*sides(a, b, a.last_tick, 0), view_of())


# ------------------------------------------------------------------ cost and golden


def test_a_comparison_is_made_once_and_quickly() -> None:
    a, b = change("trained", 64)
    forget()
    first = compare(*sides(a, b), view_of())
    assert compare(*sides(a, b), view_of()) is first
    spent = []
    for _ in range(5):
        forget()
        start = time.process_time()
        compare(*sides(a, b), view_of())
        spent.append(time.process_time() - start)
    assert min(spent) < 0.016  # a frame


CASES = [("swapped", 13, 13), ("word", 7, 4)]


def golden(kind: str, tick: int, other: int) -> Path:
    return GOLDENS / f"compare-{kind}-{tick}-{other}.svg"


def drawn(kind: str, tick: int, other: int) -> str:
    return svg(compare(*sides(*change(kind), tick, other), view_of(controls=False)))


@pytest.mark.parametrize(("kind", "tick", "other"), CASES)
def test_the_picture_is_the_golden_one(kind: str, tick: int, other: int) -> None:
    """Compare numbers within 0.05 and colours within 4 of 255: processors round differently."""
    part = re.compile(r"#[0-9A-F]{6}|-?\d+(?:\.\d+)?")
    ours = drawn(kind, tick, other).splitlines()
    theirs = golden(kind, tick, other).read_text(encoding="utf-8").splitlines()
    for number, (x, y) in enumerate(zip(ours, theirs, strict=True), start=1):
        assert part.sub("0", x) == part.sub("0", y), f"line {number}"
        for m, n in zip(part.findall(x), part.findall(y), strict=True):
            if m.startswith("#"):
                channels = zip(bytes.fromhex(m[1:]), bytes.fromhex(n[1:]), strict=True)
                assert all(abs(u - v) <= 4 for u, v in channels), f"line {number}: {m}, {n}"
            else:
                assert abs(float(m) - float(n)) <= 0.05, f"line {number}: {m}, {n}"
