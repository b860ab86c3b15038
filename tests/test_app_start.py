"""The start: the first frame shows the chrome and waits for nothing else; then the run comes."""

from __future__ import annotations

import os
import subprocess
import sys

from app.bench import ROOT

# What the first frame does not show, and what takes long to import.
LATER = ("numpy", "app.compute", "app.commands", "app.empty_page", "app.key_sheet", "engine.shares",
         "widgets.painter", "widgets.picture", "widgets.hit", "widgets.accessible",
         "widgets.capsule", "widgets.inspector", "widgets.scenes")  # fmt: skip

# Whatever is asked for begins with ``Window.begin``, so that is when it is looked what is there: a
# worker that has begun imports beside the test, on a busy machine before it goes on.
LOOK = f"""
import gc
import sys
from PySide6.QtCore import QEvent, QObject
from app import bench, first_frame
from app.window import Window

painted, seen = [], []

class Watch(QObject):
    def eventFilter(self, watched, event):
        if event.type() == QEvent.Type.Paint:
            painted.append(True)
        return False

begin = Window.begin

def begin_and_look(window):
    seen.append((
        [name for name in {LATER!r} if name in sys.modules],
        [part for part in (window.bar, window.first.controls.field, window.transport, window.rail)
         if not part.isVisible() or part.visibleRegion().isEmpty()],
        bool(painted), window.first.controls.field.text() != "", window.first.pair is None,
    ))
    begin(window)

Window.begin = begin_and_look

def look(window):
    watch = Watch()
    window.installEventFilter(watch)
    first_frame.until_painted(window)
    bench._wait(30.0, lambda: seen)
    window.removeEventFilter(watch)
    assert seen == [([], [], True, True, True)], seen
    bench._wait(30.0, lambda: window.first.pair is not None and window.inspector.isVisible())
    assert window.first.pair is not None and window.inspector.isVisible()
    assert gc.isenabled()
    bench._wait(30.0, lambda: window.canvas.settled)
    text = window.inspector.text.grab().toImage()
    window.inspector.show_theme(window._theme, 1.0)  # written anew, with all fonts there are
    assert window.inspector.text.grab().toImage() == text
    print("seen")

bench._open(look)
"""


def test_the_first_frame_waits_for_nothing_that_it_does_not_show() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOOK],
        cwd=ROOT,
        env=os.environ | {"QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.stdout.strip() == "seen", done.stderr
