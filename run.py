"""Install Unrolled beside this file and start it; nothing but Python 3.11 or newer is needed.

python3 run.py                         open the application
python3 run.py figure --help           every other argument goes to the application
python3 run.py test                    install the tools of the tests, too, and run all checks
python3 run.py test -k attention       further arguments go to pytest
python3 run.py test --oracle           the same, compared live with PyTorch

The first start makes .venv from requirements.lock; later ones need no network.
"""

import contextlib
import ctypes
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator

# An old Python must be able to read this file, to end in a sentence and not in a traceback.
if sys.version_info < (3, 11):  # noqa: UP036
    found = "%d.%d" % sys.version_info[:2]  # noqa: UP031
    sys.stderr.write(
        "Unrolled needs Python 3.11 or newer, and this is Python " + found + "; start it with a "
        "newer one, for example: python3.12 run.py\n"
    )
    sys.exit(2)

ROOT = os.path.dirname(os.path.abspath(__file__))
VENV = os.path.join(ROOT, ".venv")
WINDOWS = sys.platform == "win32"
PYTHON = (
    os.path.join(VENV, "Scripts", "python.exe") if WINDOWS else os.path.join(VENV, "bin", "python")
)
# Stands while packages are being installed: an installation that was cut off leaves it behind, and
# is then started anew, because pip takes a half-written package for an installed one.
UNFINISHED = os.path.join(ROOT, ".venv-unfinished")
LOCKS = {"app": "requirements.lock", "test": "requirements-test.lock"}
TORCH = "torch==2.13.0"

# What Qt needs from a Linux system: Debian's package, and the library that shows it is there.
QT_LIBRARIES = {
    "libglib2.0-0": "libglib-2.0.so.0",
    "libegl1": "libEGL.so.1",
    "libgl1": "libGL.so.1",
    "libdbus-1-3": "libdbus-1.so.3",
    "libxkbcommon0": "libxkbcommon.so.0",
    "libfontconfig1": "libfontconfig.so.1",
}
# A window on X11 needs these in addition.
X11_LIBRARIES = {
    "libxcb-cursor0": "libxcb-cursor.so.0",
    "libxcb-icccm4": "libxcb-icccm.so.4",
    "libxcb-keysyms1": "libxcb-keysyms.so.1",
    "libxcb-shape0": "libxcb-shape.so.0",
    "libxkbcommon-x11-0": "libxkbcommon-x11.so.0",
}
INSTALL = ["apt-get", "install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"]


class Refusal(Exception):
    """What stands in the way, in one sentence, and what to do now."""


def say(sentence: str) -> None:
    """Tell the user what is going on, beside what the program itself prints."""
    print(sentence, file=sys.stderr, flush=True)


def is_root() -> bool:
    """Return whether system packages can be installed without asking."""
    return not WINDOWS and os.geteuid() == 0


def loads(library: str) -> bool:
    """Return whether the system's loader finds a shared library."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def missing_packages(*, x11: bool, test: bool) -> dict[str, str]:
    """Return the missing system packages of Linux and what shows that they are missing.

    Parameters
    ----------
    x11
        Whether a window on X11 is to be opened.
    test
        Whether the tests run: they open windows on a screen in memory.
    """
    if not sys.platform.startswith("linux"):
        return {}
    wanted = QT_LIBRARIES | (X11_LIBRARIES if x11 or test else {})
    missing = {package: name for package, name in wanted.items() if not loads(name)}
    if test and shutil.which("Xvfb") is None:
        missing["xvfb"] = "Xvfb"
    return missing


def install_system_packages(packages: list[str]) -> bool:
    """Install Debian packages as root; return whether that worked."""
    say("Installing system packages: " + " ".join(packages))
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    # A list that cannot be refreshed may still be good enough, so only the second result counts.
    subprocess.run(["apt-get", "update", "-qq"], env=environment, stdout=sys.stderr, check=False)
    command = [*INSTALL, "-qq", "-o", "Dpkg::Use-Pty=0", *packages]
    return subprocess.run(command, env=environment, stdout=sys.stderr, check=False).returncode == 0


def provide_system_packages(*, x11: bool, test: bool) -> None:
    """Install what Qt lacks on Debian and Ubuntu as root; name it otherwise."""
    debian = shutil.which("apt-get") is not None
    asked = debian and is_root()
    missing = missing_packages(x11=x11 or asked, test=test)
    if not missing:
        return
    if asked:
        if install_system_packages(list(missing)):
            return
        raise Refusal("apt-get could not install what Qt needs; its own words stand above.")
    if debian:
        line = " ".join(["sudo", *INSTALL[:4], *missing])
        raise Refusal(
            "Qt needs system libraries that are missing here. Install them, and start again: "
            + line
        )
    raise Refusal(
        "Qt needs system libraries that are missing here: "
        + ", ".join(missing.values())
        + ". Install the packages of your distribution that hold them, and start again."
    )


def stamp(kind: str) -> str:
    """Return what an installation depends on, as one line: a change of any of it installs again."""
    parts = hashlib.sha256()
    for name in (LOCKS[kind], "pyproject.toml"):
        with open(os.path.join(ROOT, name), "rb") as file:
            parts.update(file.read())
    # Environments know their own place and break when they are moved.
    parts.update(repr((sys.version_info[:2], ROOT)).encode())
    return parts.hexdigest()


def stamp_file(kind: str) -> str:
    """Return where the stamp of a finished installation lies."""
    return os.path.join(VENV, f"installed-{kind}")


def is_installed(kind: str) -> bool:
    """Return whether .venv holds everything of this kind and is whole."""
    if os.path.exists(UNFINISHED) or not os.path.exists(PYTHON):
        return False
    try:
        with open(stamp_file(kind), encoding="ascii") as file:
            return file.read() == stamp(kind)
    except OSError:
        return False


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Hold a lock while installing, so that a second start waits instead of breaking the first."""
    try:
        file = open(os.path.join(ROOT, ".venv-lock"), "w")  # noqa: SIM115
    except OSError as error:
        raise Refusal(
            "Unrolled installs itself beside run.py, and this folder cannot be written to "
            f"({error.strerror}): copy it to a place of your own, and start it there."
        ) from error
    with file:
        waiting = False
        while True:
            try:
                if sys.platform == "win32":
                    import msvcrt

                    msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
                else:
                    import fcntl

                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if not waiting:
                    say("Another start is installing Unrolled; waiting for it.")
                waiting = True
                time.sleep(0.5)
        yield


def runs(*command: str) -> bool:
    """Return whether a command ends well; what it prints is dropped."""
    try:
        done = subprocess.run(
            command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    except OSError:
        return False
    return done.returncode == 0


def environment() -> dict[str, str]:
    """Return the environment for pip, without settings that install somewhere else."""
    elsewhere = ("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PYTHONHOME", "PYTHONPATH")
    kept = {name: value for name, value in os.environ.items() if name not in elsewhere}
    return kept | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}


def make_environment() -> list[str]:
    """Make .venv, unless a sound one stands there; return the command that installs into it."""
    same = f"import sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    begun = os.path.exists(UNFINISHED)
    mark_unfinished()
    if not begun and runs(PYTHON, "-c", same):
        installer = find_installer()
        if installer:
            return installer
    if not begun and os.path.exists(VENV) and not os.path.exists(os.path.join(VENV, "pyvenv.cfg")):
        os.remove(UNFINISHED)
        raise Refusal(
            f"{VENV} is no environment of Python, and Unrolled needs that place: rename it, and "
            "start again."
        )
    say(f"Making {VENV} …")
    clear = [sys.executable, "-m", "venv", "--clear"]
    has_pip = runs(sys.executable, "-c", "import ensurepip, venv")
    if not has_pip and is_root() and shutil.which("apt-get") and sys.base_prefix == "/usr":
        # Debian splits this off from Python.
        has_pip = install_system_packages([f"python3.{sys.version_info[1]}-venv"])
    if has_pip and subprocess.run([*clear, VENV], stdout=sys.stderr, check=False).returncode == 0:
        return find_installer()
    # Without ensurepip: another pip, or uv, can install into an environment that has none.
    if runs(*clear, "--without-pip", VENV):
        installer = find_installer()
        if installer:
            return installer
    raise Refusal(
        "This Python can make no environment (it lacks venv or ensurepip). Install them, on Debian "
        f"and Ubuntu with: sudo apt-get install -y python3.{sys.version_info[1]}-venv"
    )


def find_installer() -> list[str]:
    """Return a command that installs into .venv: its own pip, another, or uv; [] without any."""
    other = [sys.executable, "-m", "pip", "--python", PYTHON]
    if runs(PYTHON, "-m", "pip", "--version"):
        return [PYTHON, "-m", "pip"]
    if runs(*other, "list"):
        return other
    return ["uv", "pip"] if runs("uv", "pip", "list", "--python", PYTHON) else []


def mark_unfinished() -> None:
    """Leave the note that an installation has begun."""
    with open(UNFINISHED, "w", encoding="ascii"):
        pass


def pip_install(installer: list[str], *arguments: str) -> bool:
    """Install into .venv; return whether that worked."""
    command = [*installer, "install"]
    if installer[0] == "uv":
        command += ["--python", PYTHON]
    if not sys.stderr.isatty():
        command.append("--quiet")
    done = subprocess.run(
        [*command, *arguments], cwd=ROOT, env=environment(), stdout=sys.stderr, check=False
    )
    return done.returncode == 0


def install(kind: str) -> None:
    """Bring .venv to what the lock says, with nothing that the lock does not name."""
    with alone():
        if is_installed(kind):
            return
        say("Installing Unrolled: once, about 120 MB, a minute or two.")
        installer = make_environment()
        lock = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", LOCKS[kind]]
        project = ["--no-deps", "--no-build-isolation", "-e", "."]
        if not pip_install(installer, *lock):
            raise Refusal(
                "The packages could not be installed; the reason stands above. Check the network, "
                "and start again: what was loaded is kept."
            )
        if not pip_install(installer, *project):
            raise Refusal("Unrolled itself could not be installed; the reason stands above.")
        # What serves the tests serves the application.
        for finished in ("app", "test") if kind == "test" else ("app",):
            with open(stamp_file(finished), "w", encoding="ascii") as file:
                file.write(stamp(finished))
        if kind == "app" and os.path.exists(stamp_file("test")):
            os.remove(stamp_file("test"))
        os.remove(UNFINISHED)


def has_torch() -> bool:
    """Return whether .venv holds PyTorch."""
    return runs(PYTHON, "-c", "import importlib.util as u, sys; sys.exit(not u.find_spec('torch'))")


def install_oracle() -> None:
    """Install PyTorch for the live comparison; say so when that cannot be had, and go on."""
    if has_torch():
        return
    # On Linux the plain name means several gigabytes for GPUs, of which nothing would be used.
    wide = sys.platform.startswith("linux") and os.uname().machine == "x86_64"
    wanted = TORCH + "+cpu" if wide else TORCH
    with alone():
        say(f"Installing {wanted} …")
        installed = pip_install(make_environment(), "--only-binary", ":all:", wanted)
        if installed or not has_torch():
            os.remove(UNFINISHED)
    if not installed:
        say(f"{wanted} cannot be installed here; the tests go on without the live comparison.")


def test(arguments: list[str]) -> int:
    """Run ruff, mypy, import-linter and pytest; return 0 when all of them pass."""
    folder = os.path.dirname(PYTHON)
    checks = {
        "ruff": [os.path.join(folder, "ruff"), "check", "."],
        "ruff format": [os.path.join(folder, "ruff"), "format", "--check", "."],
        "mypy": [PYTHON, "-m", "mypy"],
        "import-linter": [os.path.join(folder, "lint-imports"), "--no-cache"],
    }
    failed = []
    for name, command in checks.items():
        say(f"== {name}")
        if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
            failed.append(name)
    # Said before pytest: its closing line comes last.
    for name in failed:
        say(f"== {name} failed")
    say("== pytest")
    result = subprocess.run([PYTHON, "-m", "pytest", *arguments], cwd=ROOT, check=False).returncode
    return result or (1 if failed else 0)


def main(arguments: list[str]) -> int:
    """Install what is missing, then hand over."""
    testing = arguments[:1] == ["test"]
    try:
        x11 = bool(os.environ.get("DISPLAY")) and not os.environ.get("WAYLAND_DISPLAY")
        provide_system_packages(x11=x11 and not arguments, test=testing)
        kind = "test" if testing else "app"
        if not is_installed(kind):
            install(kind)
        if testing:
            if "--oracle" in arguments:
                install_oracle()
            return test([argument for argument in arguments[1:] if argument != "--oracle"])
    except Refusal as refusal:
        say(str(refusal))
        return 2
    except KeyboardInterrupt:
        say("Stopped. The next start goes on from here.")
        return 130
    # -P: a folder of the user's called unrolled, app or engine is not taken for ours.
    command = [PYTHON, "-P", "-m", "unrolled", *arguments]
    if WINDOWS:  # exec would give the prompt back at once
        return subprocess.run(command, check=False).returncode
    os.execv(PYTHON, command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
