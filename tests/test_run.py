"""run.py: what it installs, what it says when it cannot, and that it does so only once."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

import run

ROOT = Path(__file__).resolve().parents[1]
NO_NETWORK = {
    "PIP_NO_INDEX": "1",
    "PIP_CONFIG_FILE": os.devnull,
    "https_proxy": "http://127.0.0.1:9",
}


def start(
    folder: Path, *arguments: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "run.py", *arguments],
        cwd=folder,
        env=os.environ | NO_NETWORK | (environment or {}),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a folder with run.py and its locks, and nothing installed."""
    for name in ("run.py", "pyproject.toml", "requirements.lock", "requirements-test.lock"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    return tmp_path


@pytest.fixture
def installed(checkout: Path) -> Path:
    """Return a checkout whose .venv claims to be whole; any attempt to install would fail in it."""
    venv.create(checkout / ".venv", with_pip=False, symlinks=os.name != "nt")
    packages = next((checkout / ".venv").rglob("site-packages"))
    show = "import os, sys\nprint(os.getcwd(), *sys.argv[1:])\nsys.exit(7)\n"
    (packages / "unrolled.py").write_text(show, encoding="utf-8")
    code = "import run; open(run.stamp_file('app'), 'w').write(run.stamp('app'))"
    subprocess.run([sys.executable, "-c", code], cwd=checkout, check=True)
    return checkout


def test_an_old_python_can_read_run_py() -> None:
    ast.parse((ROOT / "run.py").read_text(encoding="utf-8"), feature_version=(3, 7))


def test_an_old_python_is_refused_in_one_sentence(checkout: Path) -> None:
    code = "import sys, runpy; sys.version_info = (3, 10, 4); runpy.run_path('run.py')"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=checkout, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("Unrolled needs Python 3.11 or newer, and this is Python 3.10")
    assert done.stderr.count("\n") == 1


def test_a_second_start_hands_over_without_installing(installed: Path) -> None:
    done = start(installed, "figure", "--text", "the cat ___")
    assert (done.returncode, done.stderr) == (7, "")
    assert done.stdout == f"{installed} figure --text the cat ___\n"


def test_the_place_of_the_user_is_kept(installed: Path) -> None:
    elsewhere = installed / "elsewhere"
    (elsewhere / "unrolled").mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, "../run.py"], cwd=elsewhere, capture_output=True, text=True, check=False
    )
    assert done.stdout == f"{elsewhere} \n".replace(" \n", "\n")


def test_a_changed_lock_installs_again(installed: Path) -> None:
    with (installed / "requirements.lock").open("a", encoding="utf-8") as file:
        file.write("# newer\n")
    assert "Installing Unrolled" in start(installed).stderr


def test_an_installation_that_was_cut_off_is_started_anew(installed: Path) -> None:
    (installed / ".venv-unfinished").touch()
    half_written = installed / ".venv" / "half-written"
    half_written.touch()
    assert "Installing Unrolled" in start(installed).stderr
    assert not half_written.exists()


def test_without_network_the_first_start_says_so(checkout: Path) -> None:
    done = start(checkout)
    assert done.returncode == 2
    assert "could not be installed" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_of_another_program_is_not_cleared(checkout: Path) -> None:
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / "mine").touch()
    done = start(checkout)
    assert done.returncode == 2
    assert "rename it" in done.stderr
    assert (checkout / ".venv" / "mine").exists()


class Asked:
    """Stands for apt-get: remembers what it was asked to install."""

    def __init__(self) -> None:
        self.packages: list[str] = []

    def __call__(self, packages: list[str]) -> bool:
        self.packages = packages
        return True


@pytest.fixture
def linux(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Make run.py see a Debian without a single library of Qt, and without Xvfb."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(run, "loads", lambda library: False)
    monkeypatch.setattr(
        shutil, "which", lambda name: "/usr/bin/apt-get" if name == "apt-get" else None
    )
    return monkeypatch


def test_root_installs_exactly_what_is_missing(linux: pytest.MonkeyPatch) -> None:
    asked = Asked()
    linux.setattr(run, "is_root", lambda: True)
    linux.setattr(run, "install_system_packages", asked)
    linux.setattr(run, "loads", lambda library: library not in ("libEGL.so.1", "libxcb-icccm.so.4"))
    run.provide_system_packages(x11=False, test=False)
    assert asked.packages == ["libegl1", "libxcb-icccm4"]


def test_root_installs_the_screen_of_the_tests(linux: pytest.MonkeyPatch) -> None:
    asked = Asked()
    linux.setattr(run, "is_root", lambda: True)
    linux.setattr(run, "install_system_packages", asked)
    linux.setattr(run, "loads", lambda library: True)
    run.provide_system_packages(x11=False, test=True)
    assert asked.packages == ["xvfb"]


def test_a_user_reads_one_line_to_run(linux: pytest.MonkeyPatch) -> None:
    linux.setattr(run, "is_root", lambda: False)
    with pytest.raises(run.Refusal) as refusal:
        run.provide_system_packages(x11=True, test=False)
    line = str(refusal.value).partition("start again: ")[2]
    assert line.startswith("sudo apt-get install -y --no-install-recommends libglib2.0-0 libegl1")
    assert line.endswith("libxkbcommon-x11-0")


def test_figures_need_no_library_of_x11(linux: pytest.MonkeyPatch) -> None:
    linux.setattr(run, "is_root", lambda: False)
    linux.setattr(run, "loads", lambda library: library in run.QT_LIBRARIES.values())
    run.provide_system_packages(x11=False, test=False)


def test_another_distribution_is_told_the_names_of_the_libraries(
    linux: pytest.MonkeyPatch,
) -> None:
    linux.setattr(shutil, "which", lambda name: None)
    with pytest.raises(run.Refusal, match=r"libEGL\.so\.1.*your distribution"):
        run.provide_system_packages(x11=False, test=False)
