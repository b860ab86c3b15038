"""Qt's classes are made in the GUI thread: two threads that make one at once end the process.

Each test has a process of its own, for in this one other tests have made many of them.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from app.bench import ROOT

# Both threads name all classes, and hand the lock to one another as often as Python can.
BOTH = """
import sys, threading
from PySide6 import QtWidgets
from app import classes
assert len(classes.unmade()) > 100
while not classes.make(0.001):
    pass
assert classes.unmade() == []
sys.setswitchinterval(1e-6)

def name_all():
    for module in classes.MODULES:
        for name in dir(module):
            getattr(module, name)

other = threading.Thread(target=name_all)
other.start()
name_all()
other.join()
print("seen")
"""

# What a worker finds when it begins with what names classes of Qt.
WORKER = """
import sys, threading
from app import bench, classes, first_frame, stills

found = []

def note():
    if threading.current_thread() is not threading.main_thread():
        found.append(classes.unmade())

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "pyqtgraph":
            note()

sys.meta_path.insert(0, Finder())
paint, save = stills._paint, stills._save
stills._paint = lambda *given: (note(), paint(*given))[1]
stills._save = lambda *given: (note(), save(*given))[1]

def look(window):
    first_frame.until_painted(window)
    assert classes.unmade()
    if sys.argv[1] == "chapter_2":
        window.do("chapter_2")
    else:
        bench._wait(60.0, lambda: window.first.pair is not None)
        assert classes.unmade()  # nobody asked
        {"copy": window.copy_stage, "save": lambda: window.export_stage(path=sys.argv[2])}[
            sys.argv[1]
        ]()
    bench._wait(60.0, lambda: found)
    assert found == [[]], [len(names) for names in found]
    print("seen")

bench._open(look)
"""


@pytest.mark.parametrize(
    ("code", "given"),
    [(BOTH, ""), (WORKER, "chapter_2"), (WORKER, "copy"), (WORKER, "save")],
    ids=["both", "pyqtgraph", "copy", "save"],
)
def test_no_worker_makes_a_class_of_qt(code: str, given: str, tmp_path: object) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code, given, f"{tmp_path}/stage.png"],
        cwd=ROOT,
        env=os.environ | {"QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        encoding="utf-8",
        timeout=180,
        check=False,
    )
    assert done.stdout.strip() == "seen", done.stderr
