"""Which kernels OpenBLAS is asked for: those for Zen on a Zen 4, and else none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine import blas

ZEN_4 = """processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 25
model\t\t: 17
flags\t\t: fpu sse2 fma avx avx2 avx512f avx512bw

processor\t: 1
vendor_id\t: nobody
"""


@pytest.mark.parametrize(
    ("before", "after", "chosen"),
    [
        ("", "", "Zen"),
        ("AuthenticAMD", "GenuineIntel", None),
        ("family\t: 25", "family\t: 26", None),  # Zen 5 has whole AVX-512 units
        (" avx512f", "", None),  # Zen 3, to which OpenBLAS gives these kernels by itself
        (" avx2 ", " ", None),  # hidden by a virtual machine: the kernel would end the program
        (" fma ", " ", None),
        (ZEN_4, "", None),
        (ZEN_4, "flags without a colon", None),
    ],
)
def test_a_zen_4_gets_the_kernels_for_zen(
    before: str, after: str, chosen: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(blas.VARIABLE, raising=False)
    monkeypatch.setattr(os, "environ", dict(os.environ))  # what is chosen here is forgotten
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(ZEN_4.replace(before, after, 1))
    blas.choose(cpuinfo)
    assert os.environ.get(blas.VARIABLE) == chosen


def test_what_somebody_has_set_and_other_systems_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(blas.VARIABLE, raising=False)
    blas.choose(tmp_path / "nothing")
    assert blas.VARIABLE not in os.environ
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(ZEN_4)
    monkeypatch.setenv(blas.VARIABLE, "Haswell")
    blas.choose(cpuinfo)
    assert os.environ[blas.VARIABLE] == "Haswell"


@pytest.mark.parametrize("module", ["app.__main__", "app.bench", "app.start", "engine.ops"])
def test_it_is_chosen_before_numpy_is_there(module: str) -> None:
    code = f"""
import sys
class Seen:
    def find_spec(self, name, path=None, target=None):
        if name == "numpy" and "engine.blas" not in sys.modules:
            raise SystemExit("numpy came before the choice")
sys.meta_path.insert(0, Seen())
import {module}
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
