"""The rule about skips, tried on small test files in a process of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CONFTEST = Path(__file__).with_name("conftest.py")


def outcome(folder: Path, source: str) -> str:
    (folder / "conftest.py").write_text(CONFTEST.read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "test_it.py").write_text(source, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def test_a_test_that_skips_itself_fails(tmp_path: Path) -> None:
    source = "import pytest\ndef test_a():\n    pytest.skip('not today')\n"
    assert "1 failed" in outcome(tmp_path, source)


def test_a_test_that_a_mark_skips_is_an_error(tmp_path: Path) -> None:
    source = "import pytest\n@pytest.mark.skipif(True, reason='no')\ndef test_a():\n    pass\n"
    assert "1 error" in outcome(tmp_path, source)


def test_the_skip_of_a_whole_file_is_an_error(tmp_path: Path) -> None:
    assert "1 error" in outcome(tmp_path, "import pytest\npytest.importorskip('no_such_thing')\n")


def test_a_test_that_needs_a_gpu_may_skip(tmp_path: Path) -> None:
    source = "import pytest\n@pytest.mark.needs_gpu\ndef test_a():\n    pytest.skip('none')\n"
    assert "1 skipped" in outcome(tmp_path, source)


def test_an_expected_failure_is_no_skip(tmp_path: Path) -> None:
    source = "import pytest\n@pytest.mark.xfail(reason='known')\ndef test_a():\n    assert False\n"
    assert "1 xfailed" in outcome(tmp_path, source)
