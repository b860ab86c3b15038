"""Start the installed application: app/, widgets/ and engine/ are its private modules."""

import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_ROOT = _HERE if (_HERE / "engine").is_dir() else _HERE.parents[1]  # wheel, checkout


def main() -> int:
    """Run the application with its private modules first on the path."""
    sys.path.insert(0, str(_ROOT))
    from app.__main__ import main

    return main()
