"""Draw the golden pictures again: ``python tests/make_goldens.py``, then look at every one.

The commit says what now looks different, and that somebody looked.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

HERE = Path(__file__).parent
FILES = ("test_widgets_scenes.py", "test_widgets_compare.py", "test_widgets_units.py",
         "test_widgets_solve.py", "test_widgets_cpu_gpu.py", "test_widgets_claims.py",
         "test_widgets_long_range.py")  # fmt: skip


def main() -> None:
    """Write every picture of ``CASES`` in the files that have goldens."""
    sys.path.insert(0, str(HERE.parent))
    for name in FILES:
        tests = runpy.run_path(str(HERE / name))
        for case in tests["CASES"]:
            path = tests["golden"](*case)
            path.parent.mkdir(exist_ok=True)
            path.write_text(tests["drawn"](*case), encoding="utf-8")
            print(path.name)


if __name__ == "__main__":
    main()
