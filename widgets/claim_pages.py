"""The inspector's page of a claim: what decides it, what would turn it, and where to see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from widgets.numbers import NBSP

if TYPE_CHECKING:
    from engine.statements import Numbers
    from widgets.captions import Captions
    from widgets.inspector import Page
    from widgets.scenes.claims import Claims

MOST_SHOWN = 8  # numbers of one kind that are written out


def write(
    page: Page, subject: Claims, tick: float, verdict: str, numbers: Numbers, say: Captions
) -> None:
    """Write the page of the statement at a tick."""
    f, at = page.formats, subject.at(tick)
    each, found = subject.rows[at]
    page.line([(say("claims.transport", number=at + 1, count=len(subject.rows)), f.small)])
    page.line([(_together(each.says), f.title)])
    page.line([(verdict, f.strong)], above=6)
    if found is not None:
        page.line([(say("claims.page.number"), f.small)], right=[(found.number, f.mono_strong)],
                  above=6)  # fmt: skip
        page.line([(_together(found.what), f.body)])
        known = say(f"claims.known.{found.known}")
        page.line([(say("claims.page.basis"), f.small)], right=[(known, f.mono)], above=2)
        page.line([(say("claims.page.when"), f.small)], right=[(subject.day_words, f.mono)],
                  above=2)  # fmt: skip
    page.line([page.link(say("claims.page.open"), f"open:{each.id}", None, f.strong)], above=10)
    page.line([page.link(say("claims.page.again"), "again:", None, f.strong)], above=4)
    for key, words in (("rule", each.rule), ("turns", each.turns), ("not_here", each.not_here)):
        if words:
            page.rule()
            page.line([(say(f"claims.page.{key}"), f.strong)])
            page.line([(_together(words[:1].upper() + words[1:]), f.body)], above=2)
    if found is None or not each.needs:
        return
    page.rule()
    page.line([(say("claims.page.numbers"), f.strong)])
    for name in each.needs:
        page.line([(name.replace("_", " "), f.small)], above=3)
        for line in _written(getattr(numbers, name)):
            page.line([(line, f.mono)])


def _together(words: str) -> str:
    """Return a sentence in which a number and its per cent stay on one line."""
    return words.replace(" %", f"{NBSP}%")


def _written(value: Any) -> list[str]:
    """Return a number, or several with their names, as lines."""
    if hasattr(value, "_fields"):
        pairs = zip(value._fields, value, strict=True)
        return [", ".join(f"{name} {_one(each)}" for name, each in pairs)]
    if isinstance(value, dict):
        return [f"{name} {_one(each)}" for name, each in value.items()]
    if isinstance(value, tuple) and value and isinstance(value[0], tuple):
        several = [line for each in value[:MOST_SHOWN] for line in _written(each)]
        return several if len(value) <= MOST_SHOWN else [*several, "…"]
    return [_one(value)]


def _one(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_one, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
