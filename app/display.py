"""Whether a window can open, found out before Qt is asked: Qt ends the process when it cannot.

Source of the X11 handshake: X Window System Protocol, version 11, chapter 8, "Connection Setup".
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

# What asks a display or the loader is imported by who does: a window without a display asks nobody.
if TYPE_CHECKING:
    import socket

INSTEAD = (
    "a figure needs no display: unrolled figure rnn-transformer "
    '--text "the cat that slept ___" -o figure.svg'
)
PATIENCE_SECONDS = 2.0  # for a display far away to answer

# The Debian and Ubuntu package of each library that Qt takes from the system.
PACKAGES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libX11.so.6": "libx11-6",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-render.so.0": "libxcb-render0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-shm.so.0": "libxcb-shm0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-util.so.1": "libxcb-util1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxcb.so.1": "libxcb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxkbcommon.so.0": "libxkbcommon0",
}


def problem(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> str:
    """Return one sentence that says why no window can open, or "" when one can.

    On Windows and macOS a display is always there. Where ``QT_QPA_PLATFORM`` names a platform
    that needs none, such as offscreen, nothing is asked.
    """
    if not platform.startswith(("linux", "freebsd", "openbsd", "netbsd")):
        return ""
    chosen = environ.get("QT_QPA_PLATFORM", "").split(";")[0].split(":")[0]
    tries_x, tries_wayland = chosen in ("", "xcb"), chosen in ("", "wayland", "wayland-egl")
    if not tries_x and not tries_wayland:
        return ""
    name, socket_name = environ.get("DISPLAY", ""), _wayland_socket(environ)
    if tries_wayland and socket_name and _answers_wayland(socket_name):
        return ""
    if tries_x and name and _answers_x(name):
        missing = missing_libraries("libqxcb.so")
        return library_sentence(missing) if missing else ""
    asked = [f"DISPLAY={name}"] if tries_x and name else []
    asked += [f"WAYLAND_DISPLAY={socket_name}"] if tries_wayland and socket_name else []
    if asked:
        return f"No window can open because no display answers at {' or '.join(asked)}; {INSTEAD}"
    return f"No window can open because there is no display (DISPLAY is not set); {INSTEAD}"


def missing_libraries(plugin: str) -> tuple[str, ...]:
    """Return the system libraries that a platform plug-in of Qt needs and does not find."""
    found = importlib.util.find_spec("PySide6")
    folders = (found.submodule_search_locations or []) if found else []
    paths = [Path(folder) / "Qt" / "plugins" / "platforms" / plugin for folder in folders]
    return missing_of(paths[0]) if paths and paths[0].is_file() else ()


def missing_of(library: Path) -> tuple[str, ...]:
    """Return the libraries that this one needs, directly or not, and that are not found."""
    import ctypes
    import subprocess

    try:
        ctypes.CDLL(str(library))
    except OSError as error:
        first = str(error).partition(":")[0]
    else:
        return ()
    # The loader stops at the first one; ldd lists all of them.
    try:
        listed = subprocess.run(
            ["ldd", str(library)], capture_output=True, text=True, timeout=20, check=False
        ).stdout
    except (OSError, subprocess.SubprocessError):
        listed = ""
    names = re.findall(r"^\s*(\S+) => not found", listed, re.MULTILINE)
    return tuple(dict.fromkeys(names)) or (first,)


def library_sentence(missing: tuple[str, ...], lost: str = "No window can open") -> str:
    """Return one sentence that says what is lost by missing libraries and how to install them."""
    packages = sorted({PACKAGES[name] for name in missing if name in PACKAGES})
    what = f"Qt needs system libraries that are missing ({', '.join(missing)})"
    if not packages:
        return f"{lost} because {what}; install them and start again."
    return (
        f"{lost} because {what}; on Debian or Ubuntu run: "
        f"sudo apt-get install -y --no-install-recommends {' '.join(packages)}"
    )


def _wayland_socket(environ: Mapping[str, str]) -> str:
    """Return the path of the Wayland display, "" when there is none to try."""
    name = environ.get("WAYLAND_DISPLAY", "")
    if not name and environ.get("XDG_SESSION_TYPE") == "wayland":
        name = "wayland-0"
    folder = environ.get("XDG_RUNTIME_DIR", "")
    return str(Path(folder) / name) if name and (folder or name.startswith("/")) else ""


def _answers_wayland(path: str) -> bool:
    import socket

    # A compositor says nothing before it is asked; that it listens is all that can be known.
    connection = _connect(socket.AF_UNIX, path)
    if connection is None:
        return False
    connection.close()
    return True


def _answers_x(display: str) -> bool:
    """Return whether an X server answers at a display such as ":0" or "host:10.0"."""
    import socket

    parts = re.fullmatch(r"(?:(?:unix|tcp|inet)/)?(.*):(\d{1,5})(?:\.\d+)?", display)
    if parts is None:
        return False
    host, number = parts.group(1).strip("[]"), int(parts.group(2))
    connections: list[tuple[socket.AddressFamily, str | tuple[str, int]]] = []
    if host in ("", "unix") or host.startswith("/"):
        path = f"/tmp/.X11-unix/X{number}" if not host.startswith("/") else f"{host}:{number}"
        connections = [(socket.AF_UNIX, "\0" + path), (socket.AF_UNIX, path)]
        host = "localhost" if not host.startswith("/") else ""
    if host and 6000 + number < 2**16:
        connections.append((socket.AF_INET, (host, 6000 + number)))
    return any(_shakes_hands(family, address, display) for family, address in connections)


def _shakes_hands(
    family: socket.AddressFamily, address: str | tuple[str, int], display: str
) -> bool:
    import struct

    connection = _connect(family, address)
    if connection is None:
        return False
    with connection:
        try:
            # Byte order (least significant first), protocol 11.0, no authorisation.
            connection.sendall(struct.pack("<BxHHHHxx", ord("l"), 11, 0, 0, 0))
            answer = connection.recv(1)
        except OSError:
            return False
    # 1: welcome. 0 or 2: the server lives and wants a cookie, which libxcb knows how to find.
    return answer == b"\x01" or (answer in (b"\x00", b"\x02") and _opens_with_cookie(display))


def _opens_with_cookie(display: str) -> bool:
    """Return whether libxcb opens a display that is known to answer."""
    import ctypes

    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:
        return True  # that it is missing is found, and said, by missing_libraries
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connect.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    xcb.xcb_connection_has_error.argtypes = xcb.xcb_disconnect.argtypes = [ctypes.c_void_p]
    connection = xcb.xcb_connect(display.encode(), None)
    opened = bool(xcb.xcb_connection_has_error(connection) == 0)
    xcb.xcb_disconnect(connection)
    return opened


def _connect(family: socket.AddressFamily, address: str | tuple[str, int]) -> socket.socket | None:
    import socket

    connection = socket.socket(family, socket.SOCK_STREAM)
    connection.settimeout(PATIENCE_SECONDS)
    try:
        connection.connect(address)
    except (OSError, ValueError):
        connection.close()
        return None
    return connection
