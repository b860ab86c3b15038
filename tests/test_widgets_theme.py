"""The colours keep apart: maps in even steps, hues for every eye. The numbers are the design's.

The differences are CIEDE2000. Eyes are simulated after Machado, Oliveira & Fernandes 2009, severity
1.0, in linear sRGB.
"""

from __future__ import annotations

import runpy
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from widgets import theme

SCIENCE = runpy.run_path(str(Path(__file__).parents[1] / "scripts" / "make_themes.py"))

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
    return float(SCIENCE["difference"](seen(a, eye), seen(b, eye)))


# Pairs 1, 7, 13 and 24 of the test data of Sharma, Wu & Dalal 2005, table 1.
@pytest.mark.parametrize(
    ("a", "b", "difference"),
    [
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
        ((50.0, -0.001, 2.49), (50.0, 0.0011, -2.49), 4.7461),
        ((50.0, 2.5, 0.0), (58.0, 24.0, 15.0), 19.4535),
    ],
)
def test_the_difference_of_colours_is_that_of_the_paper(
    a: tuple[float, ...], b: tuple[float, ...], difference: float
) -> None:
    found = SCIENCE["difference"](np.array(a), np.array(b))
    assert float(found) == pytest.approx(difference, abs=1e-4)


@pytest.mark.parametrize("name", ["light", "dark"])
def test_equal_steps_of_a_number_are_equal_steps_of_ink(name: str) -> None:
    ramp = SCIENCE["ramp"]
    for stops in (SCIENCE["INK"][name], SCIENCE["BRICK"][name]):
        # Sixteen long steps, for which the rounding to 8 bits does not count.
        colours = ramp(stops)[::17]
        steps = [apart(a, b) for a, b in zip(colours, colours[1:], strict=False)]
        assert max(steps) / min(steps) < 1.25  # 1.4 to 2.6 when not re-spaced


@pytest.mark.parametrize("name", ["light", "dark"])
@pytest.mark.parametrize("eye", list(EYES))
def test_plus_and_minus_a_half_differ_for_every_eye(name: str, eye: str) -> None:
    colours = theme.load(name)
    assert apart(colours.signed_map(-0.5), colours.signed_map(0.5), eye) >= 30


UNITS_AT_LEAST = {
    "light": {"normal": 30.4, "protan": 21.8, "deutan": 15.4, "tritan": 9.8},
    "dark": {"normal": 30.2, "protan": 21.2, "deutan": 15.7, "tritan": 9.1},
}
HEADS_AT_LEAST = {
    "light": {"normal": 25.3, "protan": 23.7, "deutan": 10.9, "tritan": 19.6},
    "dark": {"normal": 18.4, "protan": 19.1, "deutan": 7.6, "tritan": 13.7},
}


@pytest.mark.parametrize("name", ["light", "dark"])
@pytest.mark.parametrize("eye", list(EYES))
def test_units_and_heads_keep_as_far_apart_as_designed(name: str, eye: str) -> None:
    colours = theme.load(name)
    units = (colours.seq, colours.stream, colours.matrix, colours.pos)
    for hues, least in ((units, UNITS_AT_LEAST), (colours.heads, HEADS_AT_LEAST)):
        nearest = min(apart(a, b, eye) for a, b in combinations(hues, 2))
        assert nearest >= least[name][eye] - 0.05  # the table has one decimal
