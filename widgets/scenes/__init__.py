"""SCENES: what is drawn of a pair of traces at a tick; one pure function a file."""

from collections.abc import Callable

from engine.trace import Pair
from widgets.picture import Picture
from widgets.scenes.opened import selected
from widgets.scenes.recurrence_attention import recurrence_attention
from widgets.view import View

SCENES: dict[str, Callable[[Pair, float, View], Picture]] = {
    "rnn-transformer": recurrence_attention,
    "opened": selected,  # the selected number, from any other scene; no chapter
}
