"""The colours keep apart: maps in even steps, hues for every eye. The numbers are the design's.

The differences are CIEDE2000. Eyes are simulated after Machado, Oliveira & Fernandes 2009, severity
1.0, in linear sRGB.
"""

from __future__ import annotations

import re
import runpy
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from widgets import theme

ROOT = Path(__file__).parents[1]
SCIENCE = runpy.run_path(str(ROOT / "scripts" / "make_themes.py"))

EYES = {
    "normal": np.eye(3),
    "protan": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deutan": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritan": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}


def seen(colour: str, eye: str) -> NDArray[np.float64]:
    """Return the CIELAB of a colour as an eye sees it."""
    rgb = SCIENCE["to_rgb"](colour)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    there = np.clip(EYES[eye] @ linear, 0, 1)
    back = np.where(there <= 0.0031308, 12.92 * there, 1.055 * there ** (1 / 2.4) - 0.055)
    lab: NDArray[np.float64] = SCIENCE["lab"](back)
    return lab


def apart(a: str, b: str, eye: str = "normal") -> float:
    return apart_of(seen(a, eye), seen(b, eye))


def apart_of(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(SCIENCE["difference"](a, b))


# Pairs 1, 4, 7, 8, 15, 13 (where the mean of two hues jumps), 17, 20, 25, 29, 31 and 34 of the test
# data of Sharma, Wu & Dalal 2005, table 1.
@pytest.mark.parametrize(
    ("a", "b", "difference"),
    [
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, -1.3802, -84.2814), (50.0, 0.0, -82.7485), 1.0),
        ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
        ((50.0, -1.0, 2.0), (50.0, 0.0, 0.0), 2.3669),
        ((50.0, -0.001, 2.49), (50.0, 0.0011, -2.49), 4.7461),
        ((50.0, -0.001, 2.49), (50.0, 0.0009, -2.49), 4.8045),
        ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
        ((50.0, 2.5, 0.0), (58.0, 24.0, 15.0), 19.4535),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((22.7233, 20.0904, -46.694), (23.0331, 14.973, -42.5619), 2.0373),
        ((90.8027, -2.0831, 1.441), (91.1528, -1.6435, 0.0447), 1.4441),
        ((2.0776, 0.0795, -1.135), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_the_difference_of_colours_is_that_of_the_paper(
    a: tuple[float, ...], b: tuple[float, ...], difference: float
) -> None:
    for one, other in ((a, b), (b, a)):
        found = SCIENCE["difference"](np.array(one), np.array(other))
        assert float(found) == pytest.approx(difference, abs=1e-4)


def test_an_eye_sees_greys_as_they_are() -> None:
    for eye in EYES:
        for grey in ("#000000", "#808080", "#FFFFFF"):
            assert apart_of(seen(grey, eye), SCIENCE["lab"](SCIENCE["to_rgb"](grey))) < 0.5


def test_red_and_green_come_together_where_one_of_their_cones_is_missing() -> None:
    # Equally light red and green; blue and yellow stay apart for these two eyes.
    assert apart("#C00000", "#607000", "normal") > 40
    for eye in ("protan", "deutan"):
        assert apart("#C00000", "#607000", eye) < 0.6 * apart("#C00000", "#607000", "normal")
        assert apart("#2040C0", "#B09000", eye) > 50


# ------------------------------------------------------------------ what there is


def test_every_theme_has_a_name_and_every_name_a_theme() -> None:
    stored = {path.stem for path in (ROOT / "assets" / "themes").iterdir()}
    assert stored == set(theme.NAMES) == set(SCIENCE["ROLES"])
    for name in theme.NAMES:
        assert theme.load(name).name == name
        assert theme.load(name) is theme.load(name)


@pytest.mark.parametrize("name", theme.NAMES)
def test_every_role_is_a_colour(name: str) -> None:
    for role, value in vars(theme.load(name)).items():
        if role != "name":
            for colour in (value,) if isinstance(value, str) else value:
                assert re.fullmatch("#[0-9A-F]{6}", colour), role
    colours = theme.load(name)
    assert len(colours.heads) == len(colours.heads_text) == 5
    assert len(colours.ink_ramp) == 256
    assert len(colours.signed_ramp) == 511


# ------------------------------------------------------------------ contrast


HUES = ("seq", "stream", "matrix", "pos")
# WCAG 2.2: 1.4.3 and 1.4.11 (AA) for the two plain themes; 1.4.6 (AAA) for text, and for marks
# what AA asks of text, for the two of high contrast.
TEXT_AT_LEAST = {"light": 4.5, "dark": 4.5, "contrast": 7.0, "contrast-dark": 7.0}
MARK_AT_LEAST = {"light": 3.0, "dark": 3.0, "contrast": 4.5, "contrast-dark": 4.5}
HIGH = ("contrast", "contrast-dark")


@pytest.mark.parametrize("name", theme.NAMES)
def test_text_reads_on_every_ground(name: str) -> None:
    colours, least = theme.load(name), TEXT_AT_LEAST[name]
    roles = ("ink", "ink2", "ink3", "error", *(f"{hue}_text" for hue in HUES))
    texts = {role: getattr(colours, role) for role in roles}
    texts |= {f"head {i + 1}": colour for i, colour in enumerate(colours.heads_text)}
    for role, colour in texts.items():
        for ground in ("stage", "panel", "window"):
            found = theme.contrast(colour, getattr(colours, ground))
            assert found >= least, f"{role} on {ground}: {found:.2f}"
    for hue in HUES:
        on_tint = theme.contrast(getattr(colours, f"{hue}_text"), getattr(colours, f"{hue}_tint"))
        assert on_tint >= max(least, 5.0), f"{hue} on its tint: {on_tint:.2f}"
    assert theme.contrast(colours.ink, colours.now) >= max(least, 5.0)  # the pill
    assert theme.contrast(colours.onink, colours.ink) >= 7  # the primary button
    for role in ("ink", "ink2"):  # tags, badges and what is under the pointer
        assert theme.contrast(getattr(colours, role), colours.well) >= max(least, 5.0)


@pytest.mark.parametrize("name", theme.NAMES)
def test_marks_stand_out_from_the_stage(name: str) -> None:
    colours, least = theme.load(name), MARK_AT_LEAST[name]
    marks = {hue: getattr(colours, hue) for hue in HUES}
    marks |= {f"head {i + 1}": colour for i, colour in enumerate(colours.heads)}
    for role, colour in marks.items():
        found = theme.contrast(colour, colours.stage)
        assert found >= least, f"{role}: {found:.2f}"
        label = theme.contrast(colours.on(colour), colour)  # bold and at least 14 px
        assert label >= (4.5 if name in HIGH else 4.25), f"label on {role}: {label:.2f}"
    assert theme.contrast(colours.now_line, colours.stage) >= 7  # the corners of the marker


@pytest.mark.parametrize("name", HIGH)
def test_with_high_contrast_lines_and_what_is_not_yet_there_are_seen_too(name: str) -> None:
    colours = theme.load(name)
    for ground in ("stage", "panel", "window"):
        for role in ("ghost", "hair", "hair2"):
            found = theme.contrast(getattr(colours, role), getattr(colours, ground))
            assert found >= 3, f"{role} on {ground}: {found:.2f}"
        for role in (*HUES, "now_line"):
            assert theme.contrast(getattr(colours, role), getattr(colours, ground)) >= 4.5
        for colour in colours.heads:
            assert theme.contrast(colour, getattr(colours, ground)) >= 4.5
    assert {colours.ink, colours.stage} == {"#000000", "#FFFFFF"}
    assert theme.contrast(colours.ink, colours.stage) == pytest.approx(21)


@pytest.mark.parametrize("name", theme.NAMES)
def test_nothing_but_the_marker_is_yellow(name: str) -> None:
    colours = theme.load(name)
    for role, value in vars(colours).items():
        if role == "name" or role.startswith("now") or role.endswith("_ramp"):
            continue
        for colour in (value,) if isinstance(value, str) else value:
            lightness, a, b = SCIENCE["lab"](SCIENCE["to_rgb"](colour))
            hue, chroma = np.degrees(np.arctan2(b, a)) % 360, np.hypot(a, b)
            # Darker than this it is olive or brown, paler it is paper.
            assert not (80 <= hue <= 105 and chroma > 25 and lightness > 55), (role, colour)


# ------------------------------------------------------------------ maps


@pytest.mark.parametrize("name", theme.NAMES)
def test_equal_steps_of_a_number_are_equal_steps_of_ink(name: str) -> None:
    ramp = SCIENCE["ramp"]
    for stops in (SCIENCE["INK"][name], SCIENCE["BRICK"][name]):
        # Sixteen long steps, for which the rounding to 8 bits does not count.
        colours = ramp(stops)[::17]
        steps = [apart(a, b) for a, b in zip(colours, colours[1:], strict=False)]
        assert max(steps) / min(steps) < 1.25  # 1.4 to 2.6 when not re-spaced


@pytest.mark.parametrize("name", theme.NAMES)
def test_maps_are_symmetric_about_zero_which_is_the_ground_s_own_grey(name: str) -> None:
    colours = theme.load(name)
    assert colours.signed_map(0) == colours.ink_map(0)
    assert colours.signed_ramp[255] == colours.ink_ramp[0]
    assert theme.contrast(colours.signed_map(0), colours.stage) < 1.2
    ground = colours.signed_map(0)
    for share in (0.1, 0.25, 0.5, 0.75, 1.0):
        plus, minus = colours.signed_map(share), colours.signed_map(-share)
        # As far from zero on either side, but for the two ends that each hue allows.
        assert apart(ground, plus) == pytest.approx(apart(ground, minus), rel=0.2)
    light = [float(SCIENCE["lab"](SCIENCE["to_rgb"](colour))[0]) for colour in colours.ink_ramp]
    steps = np.diff(light)
    assert (steps <= 0.2).all() or (steps >= -0.2).all()  # one way all along


@pytest.mark.parametrize("name", theme.NAMES)
@pytest.mark.parametrize("eye", list(EYES))
def test_plus_and_minus_a_half_differ_for_every_eye(name: str, eye: str) -> None:
    colours = theme.load(name)
    assert apart(colours.signed_map(-0.5), colours.signed_map(0.5), eye) >= 30


# For light and dark the table of the design; what high contrast reaches under tighter bounds.
AT_LEAST: dict[str, dict[str, tuple[float, float, float, float]]] = {
    "units and position": {
        "light": (30.4, 21.8, 15.4, 9.8),
        "dark": (30.2, 21.2, 15.7, 9.1),
        "contrast": (32.7, 23.8, 20.6, 21.3),
        "contrast-dark": (32.3, 22.7, 18.2, 14.7),
    },
    "heads": {
        "light": (25.3, 23.7, 10.9, 19.6),
        "dark": (18.4, 19.1, 7.6, 13.7),
        "contrast": (27.4, 20.7, 13.7, 17.8),
        "contrast-dark": (25.2, 20.5, 11.4, 16.9),
    },
    "all nine": {
        "light": (12.9, 4.8, 5.7, 9.3),
        "dark": (13.4, 5.2, 7.6, 8.0),
        "contrast": (15.5, 6.3, 7.6, 9.7),
        "contrast-dark": (14.3, 8.3, 11.0, 9.0),
    },
}


@pytest.mark.parametrize("name", theme.NAMES)
@pytest.mark.parametrize("eye", list(EYES))
def test_units_and_heads_keep_as_far_apart_as_designed(name: str, eye: str) -> None:
    colours = theme.load(name)
    units = (colours.seq, colours.stream, colours.matrix, colours.pos)
    sets = {"units and position": units, "heads": colours.heads, "all nine": units + colours.heads}
    for kind, hues in sets.items():
        nearest = min(apart(a, b, eye) for a, b in combinations(hues, 2))
        least = AT_LEAST[kind][name][list(EYES).index(eye)]
        assert nearest >= least - 0.05, kind  # the table has one decimal


@pytest.mark.parametrize("name", theme.NAMES)
def test_the_units_can_be_told_apart_on_a_grey_printout(name: str) -> None:
    colours = theme.load(name)
    light = [
        float(SCIENCE["lab"](SCIENCE["to_rgb"](colour))[0])
        for colour in (colours.seq, colours.stream, colours.matrix)
    ]
    assert light[0] - light[1] >= 8
    assert light[1] - light[2] >= 8
