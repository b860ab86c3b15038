"""Chapters 2 and 3: beside every number of every page stands how it is known."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import test_widgets_cpu_gpu as race
import test_widgets_units as units
from pytestqt.qtbot import QtBot

from widgets import captions, race_pages, theme, unit_pages
from widgets.hit import named
from widgets.inspector import Inspector
from widgets.scenes.computing_units import computing_units
from widgets.scenes.cpu_gpu import cpu_gpu

SAY = captions.load("en")
BASIS = re.compile(r"≈|counted|measured|modelled|inferred|claimed|recorded|range of the model")
SHAPE = re.compile(r"[\d ×(),]*[×,][\d ×(),]*")  # follows from what was chosen
# Numbers of a model, or given: nobody measured or counted them. Of vectors (θ, db, ids) the length.
NAMES = {
    SAY(key) for key in (
        "units.page.size", "units.page.precision", "units.page.runs", "race.page.outputs_row",
        "race.page.steps_row", "race.page.from", "race.page.value", "units.tile.exact",
        "units.tile.mixed", "units.tile.half", "units.tile.operands",
    )
}  # fmt: skip


def pages() -> Iterator[tuple[str, Any]]:
    """Yield what opens a page, and the function that writes it."""
    for preset in ("", *units.PRESETS):
        made = units.subject_of(preset)
        for tick in range(made.last_tick + 1):
            yield f"{preset} {tick}", partial(unit_pages.write, subject=made, name="", tick=tick)
            for name, *_ in named(computing_units(made, float(tick), units.view_of())):
                if unit_pages.is_element(made, name):
                    yield (
                        f"{preset} {name}",
                        partial(unit_pages.write, subject=made, name=name, tick=0),
                    )
    for known in (None, race.measured(), race.measured(True)):
        raced = race.subject(known=known)
        for tick in range(raced.last_tick + 1):
            which = "nothing" if known is None else known.device
            yield f"{which} {tick}", partial(race_pages.write, subject=raced, name="", tick=tick)
            for name, *_ in named(cpu_gpu(raced, float(tick), race.view_of())):
                if race_pages.is_element(raced, name):
                    yield (
                        f"{which} {name}",
                        partial(race_pages.write, subject=raced, name=name, tick=0),
                    )


def test_every_number_of_every_page_has_its_basis_by_its_side(qtbot: QtBot) -> None:
    inspector = Inspector(theme.load("light"), SAY)
    qtbot.addWidget(inspector)
    seen, numbers = set(), 0
    for which, write in pages():
        if which in seen:
            continue
        seen.add(which)
        inspector.show_page(which, partial(write, say=SAY))
        chip = ""  # what stands over the rows
        for line in inspector.text.toPlainText().replace("\u00a0", " ").splitlines():
            left, tab, right = line.partition("\t")
            if not tab:
                chip = line
                continue
            if not re.search(r"\d", right) or left in NAMES or left in race.WORDS:
                continue
            if SHAPE.fullmatch(right) or (len(left) <= 3 and right.isdigit()):
                continue
            numbers += 1
            assert BASIS.search(left + right) or BASIS.search(chip), (which, line)
    assert len(seen) > 300
    assert numbers > 2000
