"""Make the two lock files that run.py installs from; needs uv on the PATH.

    python scripts/make_lock.py             # keeps the pins that still fit
    python scripts/make_lock.py --upgrade   # takes the newest versions

`requirements.lock` holds what the application needs and the build backend, `requirements-test.lock`
the same, the tools of the tests, and what they need to test the GPU without one (`gpu-test`). Both
serve Python 3.11 to 3.14 on Linux, macOS and Windows, and hold hashes, but neither addresses nor
paths: uv runs without this machine's settings.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCKS = {
    "requirements.lock": ("--group", "build"),
    "requirements-test.lock": ("--group", "build", "--group", "test", "--extra", "gpu-test"),
}
# One version for every Python; 6.12.0 must not be used below 3.12 (see pyproject.toml).
CONSTRAINTS = "PySide6-Essentials==6.11.3\n"
HEADER = "# Made by scripts/make_lock.py from pyproject.toml; do not edit.\n"


def main(arguments: list[str]) -> int:
    """Write both lock files; `arguments` go to uv."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PIP_", "UV_")) or name in ("PIP_CERT", "UV_CACHE_DIR")
    }
    for name, parts in LOCKS.items():
        lock = ROOT / name
        command = ["uv", "pip", "compile", "--no-config", "--quiet", "--universal"]
        command += ["--python-version", "3.11", "--fork-strategy", "fewest", "--only-binary=:all:"]
        command += ["--generate-hashes", "--no-annotate", "--no-header", "--constraint", "-"]
        # The tests run on what the application runs on.
        command += ["--constraint", "requirements.lock"] if name != "requirements.lock" else []
        command += [*parts, "pyproject.toml", "--output-file", name, *arguments]
        subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            check=True,
            input=CONSTRAINTS,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        lock.write_text(HEADER + lock.read_text(encoding="utf-8"), encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
