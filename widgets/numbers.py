"""Numbers for people: at most three significant digits, a true minus, units after a space."""

from __future__ import annotations

import math
from collections.abc import Sequence

from engine.apportion import percents as percents
from engine.apportion import shared as shared

MINUS = "−"
THIN = "\u202f"  # narrow no-break space, between thousands
NBSP = "\u00a0"  # between a number and its unit
UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))  # of a time, in seconds


def exact(number: int) -> str:
    """Return a whole number with all of its digits: "39 271"."""
    return f"{number:,}".replace(",", THIN)


def times(seconds: Sequence[float]) -> tuple[str, ...]:
    """Return times that are parts of one sum, and their sum behind them, in its unit.

    What is written adds up exactly; the sum has three or four significant digits.
    """
    total = math.fsum(seconds)
    if not total > 0:
        return ("0",) * (len(seconds) + 1)
    scale, unit = next(((s, u) for s, u in UNITS if total >= s * 0.9995), (1e-9, "ns"))
    digits = max(0, 3 - math.floor(math.log10(total / scale)))
    parts = shared(seconds, round(total / scale * 10**digits))
    return tuple(f"{part / 10**digits:,.{digits}f}{NBSP}{unit}" for part in (*parts, sum(parts)))


def count(number: int) -> str:
    """Return how many: "388", "11 k", "457 k", "1.2 M", "3.4 G", "2 P"."""
    for limit, unit in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        # What rounds up to 1 000 k is said as 1 M.
        if number >= limit * 0.9995 or (limit == 1e3 and number >= 1000):
            scaled = number / limit
            digits = 0 if scaled >= 9.95 else 1
            text = f"{scaled:.{digits}f}"
            return f"{text.removesuffix('.0')}{NBSP}{unit}"
    return str(number)


def size(bytes_: float) -> str:
    """Return how many bytes: "576 B", "23 kB", "1.2 MB"."""
    text = count(round(bytes_))
    return f"{text}B" if NBSP in text else f"{text}{NBSP}B"


def seconds(value: float) -> str:
    """Return a time: "71 µs", "1.24 ms", "2.5 s"."""
    for limit, unit in UNITS:
        if value >= limit * 0.9995:
            return f"{_three(value / limit)}{NBSP}{unit}"
    return f"{_three(value * 1e9)}{NBSP}ns"


def value(number: float) -> str:
    """Return a number with three significant digits, or whole: "0.397", "−1.25", "12 345"."""
    number = float(number) + 0.0  # −0 is said as 0
    if math.isnan(number):
        return "not a number"
    if math.isinf(number):
        return MINUS + "∞" if number < 0 else "∞"
    size = abs(number)
    if size != 0 and (size < 1e-3 or size >= 1e7):
        mantissa, _, exponent = f"{number:.1e}".partition("e")
        text = f"{mantissa.removesuffix('.0')}e{int(exponent)}"
    elif size >= 999.5:  # would be rounded up to 1000
        text = f"{number:,.0f}".replace(",", THIN)
    else:
        text = _three(number)
    return text.replace("-", MINUS)


def _three(number: float) -> str:
    """Return a number below 1000 with three significant digits, without an exponent."""
    size = abs(number)
    digits = 2 if size == 0 else max(0, 2 - math.floor(math.log10(size)))
    text = f"{number:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
