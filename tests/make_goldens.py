"""Draw the golden pictures again: ``python tests/make_goldens.py``, then look at every one.

The commit says what now looks different, and that somebody looked.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    """Write every picture of ``CASES`` in test_widgets_scenes.py."""
    sys.path.insert(0, str(HERE.parent))
    tests = runpy.run_path(str(HERE / "test_widgets_scenes.py"))
    for tokens, tick in tests["CASES"]:
        path = tests["golden"](tokens, tick)
        path.parent.mkdir(exist_ok=True)
        path.write_text(tests["drawn"](tokens, tick), encoding="utf-8")
        print(path.name)


if __name__ == "__main__":
    main()
