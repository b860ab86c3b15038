"""SCENES: what is drawn of a subject at a tick; one pure function a file."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from widgets.picture import Picture
from widgets.scenes.opened import selected
from widgets.scenes.recurrence_attention import recurrence_attention
from widgets.view import View

Scene = Callable[[Any, float, View], Picture]


def _later(module: str, name: str) -> Scene:
    """Return a scene whose module is imported with its first picture."""

    def scene(subject: Any, tick: float, view: View) -> Picture:
        picture: Picture = getattr(import_module(module), name)(subject, tick, view)
        return picture

    return scene


SCENES: dict[str, Scene] = {
    "rnn-transformer": recurrence_attention,
    "three-computing": _later("widgets.scenes.computing_units", "computing_units"),
    "cpu-gpu": _later("widgets.scenes.cpu_gpu", "cpu_gpu"),
    "analytical-empirical": _later("widgets.scenes.analytical_empirical", "analytical_empirical"),
    "claims": _later("widgets.scenes.claims", "claims"),
    "long-range": _later("widgets.scenes.long_range", "long_range"),
    "opened": selected,  # the selected number, from any other scene; no chapter
}
