"""Which kernels NumPy's matrix products use, chosen before NumPy is loaded."""

from __future__ import annotations

import os
from itertools import takewhile
from pathlib import Path

VARIABLE = "OPENBLAS_CORETYPE"


def choose(cpuinfo: Path = Path("/proc/cpuinfo")) -> None:
    """Ask OpenBLAS for the kernels that are fastest here, where it would choose others.

    A Zen 4 does an AVX-512 instruction in two halves, so that it gains nothing by OpenBLAS's
    AVX-512 kernels, which were made for Intel's processors and which it is given. Measured with
    OpenBLAS 0.3.31 on an EPYC of that family (19h), one thread, GFLOP/s: 128 x 768 by 768 x 3072
    takes 103 with the kernels for Zen and 90 without, 512 x 768 by 768 x 768 takes 108 and 104.

    What somebody has set is left as it is, and so is what is not known from Linux: a kernel with
    instructions that the processor has not would end the program.
    """
    if VARIABLE in os.environ:
        return
    try:
        with cpuinfo.open(encoding="utf-8", errors="replace") as lines:
            # Of the first core, and no more: the system works the others out as they are read.
            facts = [line.partition(":") for line in takewhile(str.strip, lines)]
    except OSError:
        return  # not Linux
    known = {name.strip(): value.split() for name, _, value in facts}
    if known.get("vendor_id") == ["AuthenticAMD"] and known.get("cpu family") == ["25"]:
        if {"avx2", "fma", "avx512f"} <= set(known.get("flags", ())):
            os.environ[VARIABLE] = "Zen"
