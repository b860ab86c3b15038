"""Write assets/themes/*.json: the roles below, and the maps that are re-spaced from their stops.

    python scripts/make_themes.py

A ramp runs through its stops in CIELAB and is then re-spaced so that neighbours differ by the same
CIEDE2000 everywhere: equal steps of a number look like equal steps of ink.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
THEMES = Path(__file__).parents[1] / "assets" / "themes"

ROLES: dict[str, dict[str, object]] = {
    "light": {
        "window": "#F3F2EE", "stage": "#FFFFFF", "panel": "#FAF9F7", "well": "#ECEAE4",
        "hair": "#DAD7CF", "hair2": "#BDB9AE", "ink": "#16202C", "ink2": "#445060",
        "ink3": "#666F7B", "onink": "#FFFFFF", "ghost": "#A9AFB7", "now": "#FFDE70",
        "now_soft": "#FFF6D6", "now_edge": "#FFDE70", "now_line": "#16202C",
        "seq": "#D9790F", "seq_text": "#9A4F00", "seq_tint": "#FCEFDF",
        "stream": "#00857A", "stream_text": "#006B62", "stream_tint": "#DFF2F0",
        "matrix": "#6B2480", "matrix_text": "#6B2480", "matrix_tint": "#F1E6F4",
        "pos": "#1F6FDB", "pos_text": "#1A5FBF", "pos_tint": "#E4EFFD",
        "heads": ["#0F9CA9", "#B02FB8", "#7F933F", "#681D3B", "#C0281C"],
        "heads_text": ["#08727C", "#9A22A2", "#5C6C24", "#681D3B", "#B0241A"],
        "error": "#B3261E",
    },
    "dark": {
        "window": "#151A21", "stage": "#0D1117", "panel": "#1A2028", "well": "#242B35",
        "hair": "#2C343F", "hair2": "#4A5562", "ink": "#EDF1F5", "ink2": "#B9C2CD",
        "ink3": "#8F9AA7", "onink": "#0D1117", "ghost": "#5B6673", "now": "#6E5A12",
        "now_soft": "#1F1D14", "now_edge": "#7E6818", "now_line": "#FFDF70",
        "seq": "#F7B45A", "seq_text": "#F7B45A", "seq_tint": "#33261A",
        "stream": "#22AD9F", "stream_text": "#49C7BA", "stream_tint": "#10302F",
        "matrix": "#A35CC6", "matrix_text": "#CB9AE3", "matrix_tint": "#2E2038",
        "pos": "#7DB3FF", "pos_text": "#9CC5FF", "pos_tint": "#17294A",
        "heads": ["#4CD3E0", "#E062BE", "#86B04A", "#AC4270", "#E5472F"],
        "heads_text": ["#5BD3DE", "#EE8FD2", "#A9CE74", "#E38FB0", "#FF8172"],
        "error": "#FF7A6E",
    },
    # High contrast: text at least 7:1, marks 4.5:1, lines and what is not yet there 3:1, and one
    # ground everywhere. The hues are the light and dark ones, moved until each set of them keeps at
    # least as far apart as there, for every eye.
    "contrast": {
        "window": "#FFFFFF", "stage": "#FFFFFF", "panel": "#FFFFFF", "well": "#E8E8E8",
        "hair": "#767676", "hair2": "#5E5E5E", "ink": "#000000", "ink2": "#1C1C1C",
        "ink3": "#505050", "onink": "#FFFFFF", "ghost": "#767676", "now": "#FFD91A",
        "now_soft": "#FFF6C2", "now_edge": "#FFD000", "now_line": "#000000",
        "seq": "#A5660D", "seq_text": "#704201", "seq_tint": "#F6F0E7",
        "stream": "#094F42", "stream_text": "#094F42", "stream_tint": "#E6EDEC",
        "matrix": "#4B097C", "matrix_text": "#4B097C", "matrix_tint": "#EDE6F2",
        "pos": "#1D71D3", "pos_text": "#074C94", "pos_tint": "#E8F1FB",
        "heads": ["#08727C", "#7513FA", "#73793B", "#600C44", "#930D07"],
        "heads_text": ["#01565E", "#6003D7", "#4A5115", "#600C44", "#930D07"],
        "error": "#A30000",
    },
    "contrast-dark": {
        "window": "#000000", "stage": "#000000", "panel": "#000000", "well": "#262626",
        "hair": "#7A7A7A", "hair2": "#949494", "ink": "#FFFFFF", "ink2": "#E6E6E6",
        "ink3": "#A6A6A6", "onink": "#000000", "ghost": "#808080", "now": "#5C4800",
        "now_soft": "#1F1A00", "now_edge": "#C29B00", "now_line": "#FFE14D",
        "seq": "#FCA114", "seq_text": "#FCA114", "seq_tint": "#2D1D04",
        "stream": "#2DA78E", "stream_text": "#41B79D", "stream_tint": "#081E1A",
        "matrix": "#A669B6", "matrix_text": "#CC8DDC", "matrix_tint": "#1E1321",
        "pos": "#99C4FF", "pos_text": "#99C4FF", "pos_tint": "#1C232E",
        "heads": ["#90FDF9", "#D504FE", "#CFF597", "#E69ACA", "#DD6A3F"],
        "heads_text": ["#90FDF9", "#E776FF", "#CFF597", "#E69ACA", "#FB8356"],
        "error": "#FF9C92",
    },
}  # fmt: skip
INK = {
    "light": ["#F5F5F3", "#7F93AE", "#14213D"],
    "dark": ["#171D26", "#6E86A8", "#F2F7FF"],
    "contrast": ["#FFFFFF", "#7F93AE", "#0A1A33"],
    "contrast-dark": ["#000000", "#647C9E", "#FFFFFF"],
}
BRICK = {
    "light": ["#F5F5F3", "#D08A68", "#5E1B0A"],
    "dark": ["#171D26", "#B0694A", "#FFE3D3"],
    "contrast": ["#FFFFFF", "#CC8866", "#471300"],
    "contrast-dark": ["#000000", "#A8603F", "#FFE9DC"],
}

# sRGB (IEC 61966-2-1) to XYZ, and the D65 white.
TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
WHITE = np.array([0.95047, 1.0, 1.08883])


def to_rgb(colour: str) -> Numbers:
    """Return sRGB in 0 … 1 of "#RRGGBB"."""
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255


def to_hex(rgb: Numbers) -> str:
    """Return "#RRGGBB" of sRGB in 0 … 1."""
    return "#" + "".join(f"{round(float(v) * 255):02X}" for v in np.clip(rgb, 0, 1))


def lab(rgb: Numbers) -> Numbers:
    """Return CIELAB of sRGB, shape (…, 3)."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    t = linear @ TO_XYZ.T / WHITE
    f = np.where(t > 216 / 24389, np.cbrt(t), (24389 / 27 * t + 16) / 116)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def from_lab(colour: Numbers) -> Numbers:
    """Return sRGB of CIELAB, shape (…, 3)."""
    y = (colour[..., 0] + 16) / 116
    f = np.stack([y + colour[..., 1] / 500, y, y - colour[..., 2] / 200], -1)
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * WHITE
    linear = xyz @ np.linalg.inv(TO_XYZ).T
    rgb: Numbers = np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * np.clip(linear, 0, None) ** (1 / 2.4) - 0.055
    )
    return rgb


def difference(a: Numbers, b: Numbers) -> Numbers:
    """Return CIEDE2000 between CIELAB colours. Source: Sharma, Wu & Dalal 2005, eq. 2-22."""
    L1, a1, b1 = np.moveaxis(a, -1, 0)
    L2, a2, b2 = np.moveaxis(b, -1, 0)
    C = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    G = 0.5 * (1 - np.sqrt(C**7 / (C**7 + 25.0**7)))
    a1, a2 = (1 + G) * a1, (1 + G) * a2
    C1, C2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360
    turn = (h2 - h1 + 180) % 360 - 180
    dH = 2 * np.sqrt(C1 * C2) * np.sin(np.radians(turn) / 2)
    L, C = (L1 + L2) / 2, (C1 + C2) / 2
    h = np.where(np.abs(h1 - h2) > 180, (h1 + h2 + 360) / 2, (h1 + h2) / 2) % 360
    T = (
        1
        - 0.17 * np.cos(np.radians(h - 30))
        + 0.24 * np.cos(np.radians(2 * h))
        + 0.32 * np.cos(np.radians(3 * h + 6))
        - 0.20 * np.cos(np.radians(4 * h - 63))
    )
    SL = 1 + 0.015 * (L - 50) ** 2 / np.sqrt(20 + (L - 50) ** 2)
    SC, SH = 1 + 0.045 * C, 1 + 0.015 * C * T
    rotate = np.radians(60 * np.exp(-(((h - 275) / 25) ** 2)))
    RT = -2 * np.sqrt(C**7 / (C**7 + 25.0**7)) * np.sin(rotate)
    x, y, z = (L2 - L1) / SL, (C2 - C1) / SC, dH / SH
    distance: Numbers = np.sqrt(np.clip(x * x + y * y + z * z + RT * y * z, 0, None))
    return distance


def ramp(stops: list[str], entries: int = 256) -> list[str]:
    """Return a map through three stops whose neighbours all differ equally."""
    points = lab(np.array([to_rgb(stop) for stop in stops]))
    at = np.linspace(0, 1, len(stops))
    fine_at = np.linspace(0, 1, 2001)
    fine = np.stack([np.polyval(np.polyfit(at, points[:, k], 2), fine_at) for k in range(3)], -1)
    length = np.concatenate([[0], np.cumsum(difference(fine[:-1], fine[1:]))])
    even = np.interp(np.linspace(0, length[-1], entries), length, fine_at)
    spaced = np.stack([np.interp(even, fine_at, fine[:, k]) for k in range(3)], -1)
    return [to_hex(colour) for colour in from_lab(spaced)]


def main() -> None:
    """Write all themes."""
    for name, roles in ROLES.items():
        ink, brick = ramp(INK[name]), ramp(BRICK[name])
        theme = {"name": name, **roles, "ink_ramp": ink, "signed_ramp": brick[:0:-1] + ink}
        text = json.dumps(theme, indent=1) + "\n"
        (THEMES / f"{name}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
