"""Numbers, captions, equations, text widths and colours: what every scene says things with."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from app.actions import ACTIONS
from engine.cells import CELLS
from engine.roles import ROLES
from widgets import captions, equation, geometry, numbers, theme

ROOT = Path(__file__).parents[1]


# ------------------------------------------------------------------ numbers


@pytest.mark.parametrize(
    "weights",
    [[1, 1, 1], [0.005] * 200, [0.61, 0.13, 0.17, 0.06, 0.03], [1e-9, 1.0], [0.125] * 8, [3]],
)
def test_per_cents_add_up_to_100_and_none_is_a_whole_one_off(weights: list[float]) -> None:
    shares = numbers.percents(weights)
    assert sum(shares) == 100
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share - 100 * weight / sum(weights)) < 1


def test_the_largest_remainder_is_rounded_up() -> None:
    assert numbers.percents([0.334, 0.333, 0.333]) == (34, 33, 33)
    assert numbers.percents([0.005, 0.009, 0.986]) == (0, 1, 99)


@pytest.mark.parametrize("weights", [[], [0.0, 0.0], [float("nan")]])
def test_nothing_has_no_per_cents(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="no per cents"):
        numbers.percents(weights)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "0"), (388, "388"), (999, "999"), (1000, "1 k"), (1499, "1.5 k"), (9960, "10 k"),
        (457_000, "457 k"), (999_600, "1 M"), (1_100_000, "1.1 M"), (3_300_000_000, "3.3 G"),
    ],
)  # fmt: skip
def test_counts_are_short(number: int, said: str) -> None:
    assert numbers.count(number) == said.replace(" ", numbers.NBSP)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (7.1e-5, "71 µs"),
        (9.99e-7, "999 ns"),
        (1.24e-3, "1.24 ms"),
        (2.5, "2.5 s"),
        (0.99999, "1 s"),
    ],
)
def test_times_have_the_unit_that_keeps_them_short(seconds: float, said: str) -> None:
    assert numbers.seconds(seconds) == said.replace(" ", numbers.NBSP)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0.3971, "0.397"), (-1.25, "−1.25"), (-0.0, "0"), (12345.0, "12\u202f345"),
        (999.6, "1\u202f000"), (999.4, "999"),
        (3.1e-7, "3.1e−7"), (-0.0004, "−4e−4"), (float("inf"), "∞"), (float("nan"), "not a number"),
    ],
)  # fmt: skip
def test_values_have_three_digits_and_a_true_minus(number: float, said: str) -> None:
    assert numbers.value(number) == said


# ------------------------------------------------------------------ equations


def test_letters_are_italic_words_upright_and_scripts_small() -> None:
    assert equation.runs("k^⊤ / √d_{head}") == (
        ("k", True, 0), ("⊤", False, 1), (" / √", False, 0), ("d", True, 0), ("head", False, -1),
    )  # fmt: skip
    assert equation.runs("tanh(a_3)") == (
        ("tanh(", False, 0), ("a", True, 0), ("3", False, -1), (")", False, 0),
    )  # fmt: skip


def test_where_nothing_can_be_set_an_equation_is_one_line() -> None:
    assert equation.plain("MLP in: dW_{in}") == "MLP in: dW_in"
    assert equation.plain("da W_o^⊤") == "da W_oᵀ"


def test_a_set_equation_is_as_wide_as_its_parts_and_stands_where_it_is_anchored() -> None:
    markup, wide = "3 T + 11_{k}", equation.width("3 T + 11_{k}", 20)
    start = equation.shapes(markup, x=100, y=50, size=20, fill="#000000")
    end = equation.shapes(markup, x=100 + wide, y=50, size=20, fill="#000000", anchor="end")
    assert [t.x for t in start] == pytest.approx([t.x for t in end])
    assert start[-1].y > 50
    assert start[-1].size == pytest.approx(14)


# ------------------------------------------------------------------ sizes


@pytest.mark.parametrize(
    "place", [(1600, 900), (1188, 700), (1920, 1080), (1280, 720), (3000, 800)]
)
def test_a_box_has_the_shape_of_its_place_and_is_never_smaller_than_the_scene(
    place: tuple[float, float],
) -> None:
    width, height, scale = geometry.fit(*place)
    assert width >= 1188
    assert height >= 700
    assert (width * scale, height * scale) == pytest.approx(place)


def test_a_small_place_scrolls_rather_than_have_text_under_12_px() -> None:
    width, height, scale = geometry.fit(700, 300)
    assert scale * 14 == pytest.approx(12)
    assert (width, height) == (1188, 700)


@pytest.mark.parametrize("factor", [1.0, 1.25, 2.0])
def test_where_all_text_is_enlarged_a_place_scrolls_sooner(factor: float) -> None:
    width, _, scale = geometry.fit(1180, 700, factor=factor)
    assert scale * 14 >= 12 * factor
    assert (width * scale > 1181) == (factor * 12 / 14 * 1188 > 1181)
    assert geometry.px(12, factor) >= 12 * factor


def test_figures_are_as_wide_as_each_other() -> None:
    widths = {geometry.text_width(digit, 20, 600) for digit in "0123456789"}
    assert len(widths) == 1


# ------------------------------------------------------------------ captions and colours


def test_captions_fill_their_fields_and_miss_loudly() -> None:
    say = captions.load("en")
    assert say("rt.state_title", index=3, word="that") == "hidden state 3, after “that”"
    with pytest.raises(KeyError):
        say("rt.no_such_key")
    with pytest.raises(KeyError):
        say("rt.state_title", index=3)


# Strings of the code that look like captions and are names of something else.
NO_CAPTIONS: set[str] = set()
# Keys whose last part is made while running, and what it can be.
MADE = {
    "action": {action.id for action in ACTIONS} | {"pause"},
    "model": {"transformer", *CELLS},
    "role": {*ROLES, "mixed", "untrained", "unplaced"},
    "transport": {"chain", "grid"},
}


def test_every_caption_in_the_code_exists_and_every_caption_is_used() -> None:
    words = json.loads((ROOT / "assets/captions/en.json").read_text(encoding="utf-8"))
    code = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in ("app", "widgets")
        for path in (ROOT / folder).rglob("*.py")
    )
    areas = {key.partition(".")[0] for key in words}
    written = {
        key
        for key in re.findall(r"""["']([a-z]+(?:\.[a-z_0-9-]+)+)["']""", code)
        if key.partition(".")[0] in areas
    }
    keys = {f"{area}.{last}" for area, lasts in MADE.items() for last in lasts}
    patterns = []
    for made in re.findall(r"""f["']([a-z]+\.[^"'\n ]*\{.*?\}[^"'\n ]*)["']""", code):
        parts = [re.escape(part) for part in re.split(r"\{[^}]*\}", made)]
        if parts[0].removesuffix("\\.") not in MADE:
            patterns.append(re.compile(r"[\w-]+".join(parts) + "$"))
    assert written - set(words) <= NO_CAPTIONS
    assert keys <= set(words)
    for key in words:
        plain = key.removesuffix(".one")  # what is said of one, where a count is given
        known = plain in written or plain in keys or any(p.match(plain) for p in patterns)
        assert known, f"{key} is used nowhere"


def near(a: str, b: str, channels: int) -> None:
    assert all(abs(x - y) <= channels for x, y in zip(theme.rgb(a), theme.rgb(b), strict=True))


@pytest.mark.parametrize("name", theme.NAMES)
def test_the_signed_map_is_the_magnitude_map_above_zero_and_the_ground_at_zero(name: str) -> None:
    colours = theme.load(name)
    assert colours.signed_map(0) == colours.ink_map(0)
    for share in (0.25, 0.5, 1.0):
        near(colours.signed_map(share), colours.ink_map(share), 2)  # 256 entries against 255
        assert theme.contrast(colours.signed_map(-share), colours.ink_map(0)) > 1.2
    assert colours.signed_map(7) == colours.signed_map(1)  # beyond the ends: the end
    with pytest.raises(ValueError, match="no colour"):
        colours.ink_map(float("nan"))


def test_the_themes_are_those_that_the_script_makes() -> None:
    import runpy

    made = runpy.run_path(str(ROOT / "scripts" / "make_themes.py"))
    for name, roles in made["ROLES"].items():
        stored = json.loads((ROOT / "assets/themes" / f"{name}.json").read_text())
        assert {k: stored[k] for k in roles} == roles
        for there, here in zip(stored["ink_ramp"], made["ramp"](made["INK"][name]), strict=True):
            near(there, here, 1)  # processors round differently
