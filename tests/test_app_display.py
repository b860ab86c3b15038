"""Displays that are missing, dead or alive, told apart before Qt is asked."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app import display
from app.display import INSTEAD, library_sentence, missing_of, problem

ROOT = Path(__file__).parents[1]


@contextmanager
def server(answer: bytes | None) -> Iterator[str]:
    """Yield the name of an X display on this machine that answers so; None: it never does."""
    for number in range(60, 900):
        listener = socket.socket()
        try:
            listener.bind(("127.0.0.1", 6000 + number))
            break
        except OSError:
            listener.close()
    listener.listen()
    done = threading.Event()

    def serve() -> None:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.recv(12)
            if answer is None:
                done.wait(10)
            else:
                connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"127.0.0.1:{number}.0"
    finally:
        done.set()
        listener.close()
        thread.join(10)


@pytest.fixture
def complete(monkeypatch: pytest.MonkeyPatch) -> None:
    """No library of Qt is missing."""
    monkeypatch.setattr(display, "missing_libraries", lambda plugin: ())


def test_without_a_display_it_is_said_and_how_to_make_a_figure() -> None:
    sentence = problem({}, "linux")
    assert sentence.startswith("No window can open because there is no display")
    assert sentence.endswith(INSTEAD)
    assert "\n" not in sentence


@pytest.mark.parametrize(
    "name",
    [":4711", "localhost:4711", "nonsense", "host.invalid:0", ":", "unix:4711", ":99999",
     "a" * 300 + ":0", ":0\0", "::1:4711"],
)  # fmt: skip
def test_a_dead_display_is_named(name: str) -> None:
    sentence = problem({"DISPLAY": name}, "linux")
    assert sentence == f"No window can open because no display answers at DISPLAY={name}; {INSTEAD}"


@pytest.mark.usefixtures("complete")
def test_an_x_server_that_welcomes_is_a_display() -> None:
    with server(b"\x01\x00\x0b\x00\x00\x00\x00\x00") as name:
        assert problem({"DISPLAY": name}, "linux") == ""


@pytest.mark.usefixtures("complete")
def test_what_listens_but_is_no_x_server_is_no_display() -> None:
    with server(b"HTTP/1.1 400 Bad Request\r\n") as name:
        assert "no display answers" in problem({"DISPLAY": name}, "linux")


@pytest.mark.usefixtures("complete")
def test_a_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(display, "PATIENCE_SECONDS", 0.1)
    with server(None) as name:
        assert "no display answers" in problem({"DISPLAY": name}, "linux")


@pytest.mark.parametrize(("opens", "answers"), [(True, True), (False, False)])
@pytest.mark.usefixtures("complete")
def test_a_server_that_wants_a_cookie_is_asked_with_one(
    opens: bool, answers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(display, "_opens_with_cookie", lambda name: opens)
    with server(b"\x00\x16\x0b\x00\x00\x00\x06\x00") as name:
        assert (problem({"DISPLAY": name}, "linux") == "") is answers


def test_a_wayland_display_is_one(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "wayland-1"))
        listener.listen()
        environ = {"WAYLAND_DISPLAY": "wayland-1", "XDG_RUNTIME_DIR": str(tmp_path)}
        assert problem(environ, "linux") == ""
        assert "no display" in problem(environ | {"QT_QPA_PLATFORM": "xcb"}, "linux")


def test_a_dead_wayland_display_is_named(tmp_path: Path) -> None:
    environ = {"WAYLAND_DISPLAY": "wayland-1", "XDG_RUNTIME_DIR": str(tmp_path)}
    assert f"WAYLAND_DISPLAY={tmp_path}/wayland-1" in problem(environ, "linux")


@pytest.mark.parametrize("chosen", ["offscreen", "offscreen:size=9x9", "minimal", "vnc", "linuxfb"])
def test_a_platform_that_needs_no_display_is_not_asked(chosen: str) -> None:
    assert problem({"QT_QPA_PLATFORM": chosen}, "linux") == ""


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_elsewhere_there_is_always_a_display(platform: str) -> None:
    assert problem({}, platform) == ""


# ---- libraries ---------------------------------------------------------------------------------


def test_a_missing_library_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = ("libxcb-icccm.so.4", "libxcb-keysyms.so.1", "libstrange.so.2")
    monkeypatch.setattr(display, "missing_libraries", lambda plugin: missing)
    with server(b"\x01") as name:
        sentence = problem({"DISPLAY": name}, "linux")
    assert "(libxcb-icccm.so.4, libxcb-keysyms.so.1, libstrange.so.2)" in sentence
    assert sentence.endswith(
        "sudo apt-get install -y --no-install-recommends libxcb-icccm4 libxcb-keysyms1"
    )


def test_libraries_of_no_known_package_are_named() -> None:
    assert library_sentence(("libstrange.so.2",)) == (
        "No window can open because Qt needs system libraries that are missing (libstrange.so.2); "
        "install them and start again."
    )


def test_a_library_that_loads_misses_nothing() -> None:
    assert missing_of(Path("libc.so.6")) == ()


def test_a_library_that_is_not_there_is_what_is_missing() -> None:
    assert missing_of(Path("/nowhere/libx.so.1")) == ("/nowhere/libx.so.1",)


# ---- as a user meets it ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", ":4711"])
def test_without_a_display_unrolled_ends_with_one_sentence_and_2(name: str) -> None:
    environ = {key: value for key, value in os.environ.items()
               if key not in ("QT_QPA_PLATFORM", "WAYLAND_DISPLAY", "DISPLAY")}  # fmt: skip
    if name:
        environ["DISPLAY"] = name
    done = subprocess.run([sys.executable, "-m", "app"], env=environ, cwd=ROOT, timeout=60,
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("No window can open because ")
