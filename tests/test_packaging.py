"""What is built, and what an installation of it is like: polite, whole and small."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = ("requirements.lock", "requirements-test.lock")
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
PLATFORMS = ("linux", "darwin", "win32")


def copy_of_the_checkout(folder: Path) -> Path:
    """Return a copy without what tools leave behind: setuptools reuses a stale build folder."""
    kept = ("app", "widgets", "engine", "assets", "pyproject.toml", "README.md", "LICENSE")
    for name in (*kept, "MANIFEST.in"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    return folder


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel, built without network by the setuptools of this environment."""
    source = copy_of_the_checkout(tmp_path_factory.mktemp("source"))
    target = tmp_path_factory.mktemp("wheel")
    code = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", code, str(target)],
        cwd=source,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return next(target.glob("*.whl"))


@pytest.fixture(scope="session")
def tool(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of an environment with the wheel, as pipx and uv tool make one.

    What the application needs is borrowed from this environment by a path file, without the
    editable installation that lies there, too.
    """
    folder = tmp_path_factory.mktemp("tool")
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    packages = next(folder.rglob("site-packages"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    borrowed = tmp_path_factory.mktemp("borrowed")
    for path in sys.path:
        if Path(path).name != "site-packages":
            continue
        for entry in Path(path).iterdir():
            if "unrolled" not in entry.name and entry.suffix != ".pth":
                (borrowed / entry.name).symlink_to(entry)
    (packages / "borrowed.pth").write_text(str(borrowed), encoding="utf-8")
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_every_package_is_named() -> None:
    found = {
        "unrolled." + ".".join(file.parent.relative_to(ROOT).parts)
        for top in ("app", "widgets", "engine")
        for file in (ROOT / top).rglob("__init__.py")
    }
    named = set(PROJECT["tool"]["setuptools"]["packages"])
    assert named == (found - {"unrolled.app.launcher"}) | {"unrolled", "unrolled.assets"}


def test_the_wheel_installs_one_name(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in names(wheel)}
    version = PROJECT["project"]["version"]
    assert tops == {"unrolled", f"unrolled-{version}.dist-info"}


def test_the_wheel_carries_every_module_and_asset(wheel: Path) -> None:
    wanted = {
        f"unrolled/{file.relative_to(ROOT).as_posix()}"
        for top in ("app", "widgets", "engine", "assets")
        for file in (ROOT / top).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts and "launcher" not in file.parts
    }
    assert wanted - set(names(wheel)) == set()
    assert {"unrolled/__init__.py", "unrolled/__main__.py"} <= set(names(wheel))


def test_the_wheel_stays_under_25_mb(wheel: Path) -> None:
    assert wheel.stat().st_size < 25e6


def test_the_wheel_carries_the_licences(wheel: Path) -> None:
    licences = {Path(name).name for name in names(wheel) if ".dist-info/licenses/" in name}
    assert {"LICENSE", "Inter-OFL.txt", "JetBrainsMono-OFL.txt", "UnrolledMath-OFL.txt"} <= licences


def test_the_installed_program_runs_where_another_app_lies(tool: Path, tmp_path: Path) -> None:
    for name in ("app", "widgets", "engine", "assets"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise ImportError('not ours')\n")
    done = subprocess.run(
        [tool, "-m", "unrolled", "--version"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert PROJECT["project"]["version"] in done.stdout


def test_no_environment_gets_a_package_called_app(tool: Path, tmp_path: Path) -> None:
    for name in ("app", "widgets", "engine", "assets"):
        done = subprocess.run(
            [tool, "-c", f"import {name}"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert f"No module named '{name}'" in done.stderr


def test_the_command_prints_on_windows() -> None:
    # gui-scripts have no standard output there.
    assert "unrolled" in PROJECT["project"]["scripts"]


def pyside(python: str) -> list[Requirement]:
    """Return the requirements on PySide6 that hold for a version of Python."""
    every = (Requirement(line) for line in PROJECT["project"]["dependencies"])
    environment = {"python_version": python}
    return [
        need
        for need in every
        if need.name == "PySide6-Essentials"
        and (not need.marker or need.marker.evaluate(environment))
    ]


@pytest.mark.parametrize("python", PYTHONS)
def test_one_bound_on_pyside_holds_for_every_python(python: str) -> None:
    assert len(pyside(python)) == 1


def test_pyside_6_12_0_is_refused_below_python_3_12() -> None:
    assert Version("6.12.0") not in pyside("3.11")[0].specifier


def locked(name: str) -> Iterator[tuple[Requirement, list[str]]]:
    """Yield every requirement of a lock file with its hashes."""
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            requirement, *hashes = line.split("--hash=")
            yield Requirement(requirement.strip()), [one.strip() for one in hashes]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_is_pinned_and_hashed(lock: str) -> None:
    packages = list(locked(lock))
    assert packages
    for requirement, hashes in packages:
        assert re.fullmatch(r"==[^*,]+", str(requirement.specifier)), requirement
        assert hashes, requirement
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", one) for one in hashes), requirement


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_holds_an_address_or_a_place(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert re.search(r"://|/home|/tmp|/root|/opt|/work|@ |--index|--find-links|^-", text) is None


@pytest.mark.parametrize("lock", LOCKS)
@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_need_is_locked_everywhere(lock: str, python: str, platform: str) -> None:
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": platform,
    }
    pins = {
        requirement.name.lower(): Version(str(requirement.specifier)[2:])
        for requirement, _ in locked(lock)
        if not requirement.marker or requirement.marker.evaluate(environment)
    }
    groups = PROJECT["dependency-groups"]
    needs = (
        PROJECT["project"]["dependencies"] + groups["build"] + PROJECT["build-system"]["requires"]
    )
    needs += groups["test"] if lock == "requirements-test.lock" else []
    for need in map(Requirement, needs):
        if not need.marker or need.marker.evaluate(environment):
            assert pins[need.name.lower()] in need.specifier


def test_the_tests_run_on_what_the_application_runs_on() -> None:
    tested = {str(requirement) for requirement, _ in locked("requirements-test.lock")}
    assert {str(requirement) for requirement, _ in locked("requirements.lock")} <= tested
