"""The rule for dates: from the ways in which people write a date to year-month-day.

Its lines are short, since they are projected.
"""

import calendar
import re

from engine.rules.stop import Stop

WORD = re.compile("[a-z]+|[0-9]+")
MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_name) if name}
MONTHS |= {name[:3]: number for name, number in MONTHS.items()}


def read(text: str) -> str:
    """Return year-month-day."""
    words = WORD.findall(text.lower())
    numbers, names = [], []
    for word in words:
        if word.isdigit():
            numbers.append(word)
        elif len(word) > 2:
            names.append(word)
    months = [n for n in names if n in MONTHS]
    years = [n for n in numbers if len(n) == 4]
    rest = [n for n in numbers if n not in years]
    if len(years) != 1:
        raise Stop("one year of four digits is needed")
    if months:
        if len(rest) != 1:
            raise Stop("one day is needed beside the month")
        month = MONTHS[months[0]]
        day = int(rest[0])
    elif len(rest) != 2:
        raise Stop(unknown(names))
    elif numbers[0] in years:
        month, day = map(int, rest)
    else:
        day, month = map(int, rest)
    if not 1 <= month <= 12:
        raise Stop(f"there is no month {month}")
    if not 1 <= day <= days(years[0], month):
        raise Stop(f"this month has no day {day}")
    return f"{years[0]}-{month:02}-{day:02}"


def unknown(names: list[str]) -> str:
    """Return why no month was found among names."""
    return f"no month is called {names[-1]!r}" if names else "no month"


def days(year: str, month: int) -> int:
    """Return how many days a month has."""
    return calendar.monthrange(int(year), month)[1]
