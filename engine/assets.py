"""Where the files lie that are shipped beside the code, in a checkout as in an installed package.

``importlib.resources`` would find them too, and brings what reads archives: 7 ms of every start.
"""

from __future__ import annotations

from pathlib import Path

ASSETS = Path(__file__).resolve().parents[1] / "assets"
