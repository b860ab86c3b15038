"""The start: the first frame shows the chrome and waits for nothing else; then the run comes."""

from __future__ import annotations

import os
import subprocess
import sys

from app.bench import ROOT

# What the first frame does not show, and what takes long to import.
LATER = ("numpy", "app.compute", "widgets.painter", "widgets.picture", "widgets.hit",
         "widgets.accessible", "widgets.inspector", "widgets.scenes")  # fmt: skip

LOOK = f"""
import sys
from app import bench

def look(window):
    bench._until_painted(window)
    early = [name for name in {LATER!r} if name in sys.modules]
    assert not early, early
    for part in (window.bar, window.first.controls.field, window.transport, window.rail):
        assert part.isVisible() and not part.visibleRegion().isEmpty()
    assert window.first.controls.field.text() and window.first.pair is None
    import gc
    bench._wait(30.0, lambda: window.first.pair is not None and window.inspector.isVisible())
    assert window.first.pair is not None and window.inspector.isVisible()
    assert gc.isenabled()
    bench._wait(30.0, lambda: window.canvas.settled)
    seen = window.inspector.text.grab().toImage()
    window.inspector.show_theme(window._theme, 1.0)  # written anew, with all fonts there are
    assert window.inspector.text.grab().toImage() == seen
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
