"""The rule for dates: from the ways in which people write a date to year-month-day."""

import calendar
import re

MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_name) if name}
MONTHS |= {name[:3]: number for name, number in MONTHS.items()}


def read(text: str) -> str:
    """Return a date as ISO 8601 writes it, "5 Mar 2019" as "2019-03-05"."""
    words = re.findall("[a-z]+|[0-9]+", text.lower())
    numbers = [word for word in words if word.isdigit()]
    months = [word for word in words if word in MONTHS]
    years = [number for number in numbers if len(number) == 4]
    if len(years) != 1:
        raise ValueError("one year of four digits is needed")
    others = [number for number in numbers if number not in years]
    if months:
        if len(others) != 1:
            raise ValueError("one day is needed beside the month")
        month, day = MONTHS[months[0]], int(others[0])
    else:
        if len(others) != 2:
            unknown = [word for word in words if len(word) > 2 and not word.isdigit()]
            raise ValueError(f"no month is called {unknown[-1]!r}" if unknown else "no month")
        if numbers[0] in years:
            month, day = int(others[0]), int(others[1])
        else:
            day, month = int(others[0]), int(others[1])
    if not 1 <= month <= 12:
        raise ValueError(f"there is no month {month}")
    if not 1 <= day <= calendar.monthrange(int(years[0]), month)[1]:
        raise ValueError(f"this month has no day {day}")
    return f"{years[0]}-{month:02d}-{day:02d}"
