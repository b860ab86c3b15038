"""One tile of a tensor core, number by number."""

from __future__ import annotations

import numpy as np
import pytest

from engine.tile import SIDE, multiply


def test_a_tile_by_hand() -> None:
    # 0.1 rounds to 1638.4 -> 1638 steps of 2^-14: the nearest half is 0.0999755859375.
    tile = multiply([[0.1, 1.0]], [[0.1], [1.0]])
    assert tile.half_a[0, 0] == np.float16(0.0999755859375)
    assert tile.exact[0, 0] == pytest.approx(1.01, rel=1e-15)
    rounded = 0.0999755859375**2
    assert tile.mixed[0, 0] == np.float32(rounded + 1.0)
    # Above 1 a half moves in steps of 2^-10: 1.009995 lies between 1.0098 and 1.0107.
    assert tile.half[0, 0] == np.float16(1.009765625)


def test_small_terms_are_lost_when_the_sum_is_kept_in_half() -> None:
    # 2048 + 1 is no half: the next one is 2050. In float32 all terms stay.
    a = np.array([[2048.0, *[1.0] * 15]])
    tile = multiply(a, np.ones((16, 1)))
    assert tile.mixed[0, 0] == tile.exact[0, 0] == 2063.0
    assert tile.half[0, 0] == 2048.0
    assert tile.mixed_error == 0.0
    assert tile.half_error == pytest.approx(15 / 2063)


def test_products_of_halves_are_exact_and_only_sums_round() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(SIDE, SIDE)), rng.normal(size=(SIDE, SIDE))
    tile = multiply(a, b, "random")
    half = tile.half_a.astype(np.float64) @ tile.half_b.astype(np.float64)
    # Fifteen roundings of float32 sums of up to about 20.
    assert np.abs(tile.mixed - half).max() < 16 * 2.0**-24 * np.abs(half).max() * 4
    assert tile.operand_error == pytest.approx(tile.mixed_error, rel=0.02)
    assert tile.half_error > 2 * tile.mixed_error
    assert tile.exact == pytest.approx(a @ b)
    for numbers in (tile.mixed, tile.half, tile.exact, tile.half_a):
        assert not numbers.flags.writeable


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (np.ones((17, 2)), np.ones((2, 2))),
        (np.ones((2, 3)), np.ones((2, 2))),
        (np.ones(3), np.ones((3, 1))),
        ([[np.nan]], [[1.0]]),
        ([[1.0]], [[70000.0]]),
    ],
)
def test_what_is_no_tile_is_refused(a: object, b: object) -> None:
    with pytest.raises(ValueError, match="No tile"):
        multiply(a, b)  # type: ignore[arg-type]


def test_a_half_sum_that_overflows_is_infinite_and_warns_nobody() -> None:
    tile = multiply([[300.0, 300.0]], [[300.0], [300.0]])
    assert tile.mixed[0, 0] == 180000.0
    assert np.isinf(tile.half[0, 0])
    assert tile.half_error == np.inf
