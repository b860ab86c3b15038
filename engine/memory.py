"""How much memory a trace may take on this machine, and what is given back after one."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

UNKNOWN_BYTES = 2**31  # where the system does not say what is free
SHARE = 0.75  # of what is free: the window, and what is computed on the way, need some, too


def most_bytes() -> int:
    """Return how many bytes a trace may keep now, so that the machine has not to swap for it."""
    free = free_bytes()
    return UNKNOWN_BYTES if free is None else int(SHARE * free)


def free_bytes(meminfo: Path = Path("/proc/meminfo")) -> int | None:
    """Return the bytes that can be had without swapping, or None where the system does not say.

    Linux counts caches that it would give up (``MemAvailable``); elsewhere it is what no one uses.
    """
    try:
        for line in meminfo.read_text(encoding="ascii").splitlines():
            name, _, rest = line.partition(":")
            if name == "MemAvailable":
                return int(rest.split()[0]) * 1024
    except (OSError, ValueError, IndexError):
        pass  # not Linux, or a container that hides it
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None  # Windows has no sysconf, macOS no such name


def give_back() -> None:
    """Give memory that is free but kept for later back to the system, where that can be asked for.

    glibc keeps it once large arrays and images have come and gone: a window on which much was
    tried held 430 MB, of which 220 were free. It takes 1 to 8 ms.
    """
    trim = getattr(_C, "malloc_trim", None)
    if trim is not None:
        trim(0)


_C = ctypes.CDLL(None) if os.name == "posix" else None  # the C library; other ones have no trim
