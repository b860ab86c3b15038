"""What is free: what the system says, or a number for systems that say nothing."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from engine import memory
from engine.memory import free_bytes, give_back, most_bytes


def test_linux_says_what_is_available(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 9 kB\nMemAvailable:    2048 kB\nSwapFree: 7 kB\n")
    assert free_bytes(meminfo) == 2048 * 1024


@pytest.mark.parametrize("text", [None, "", "MemAvailable:\n", "MemAvailable: much kB\n"])
def test_elsewhere_free_pages_are_counted(
    text: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meminfo = tmp_path / "meminfo"
    if text is not None:
        meminfo.write_text(text)
    pages = {"SC_AVPHYS_PAGES": 1000, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(os, "sysconf", pages.__getitem__, raising=False)
    assert free_bytes(meminfo) == 4_096_000


def test_a_system_that_says_nothing_has_a_limit_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sysconf", raising=False)
    assert free_bytes(tmp_path / "meminfo") is None
    monkeypatch.setattr(memory, "free_bytes", lambda: None)
    assert most_bytes() == 2**31


def test_some_of_what_is_free_stays_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda: 1000)
    assert most_bytes() == 750


def test_what_is_free_between_what_is_kept_is_given_back() -> None:
    give_back()  # which a system that cannot do it does not notice
    if sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_trim"):
        return
    pieces = [np.ones(8000) for _ in range(1600)]  # 102 MB, none so large that it has its own map
    kept = pieces[::100]
    full = resident_bytes()
    del pieces
    give_back()
    assert full - resident_bytes() > 60e6
    assert len(kept) == 16


def resident_bytes() -> int:
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
