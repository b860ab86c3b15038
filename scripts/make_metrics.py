"""Write assets/fonts/metrics.json: how far each character of the shipped fonts advances.

    python scripts/make_metrics.py        (needs fontTools)

Scenes lay text out by this table and so need no Qt, and a picture is the same on every machine.
Digits have their tabular width, as they are always drawn. Advances are in thousandths of the size.
"""

from __future__ import annotations

import json
from pathlib import Path

from fontTools.ttLib import TTFont

FONTS = Path(__file__).resolve().parents[1] / "assets" / "fonts"
STYLES = {
    "sans 400": "Inter-Regular.otf",
    "sans 500": "Inter-Medium.otf",
    "sans 600": "Inter-SemiBold.otf",
    "sans 700": "Inter-Bold.otf",
    "sans 400 italic": "Inter-Italic.otf",
    "sans 500 italic": "Inter-MediumItalic.otf",
    "sans 600 italic": "Inter-SemiBoldItalic.otf",
    "display 600": "InterDisplay-SemiBold.otf",
    "display 700": "InterDisplay-Bold.otf",
    "mono 400": "JetBrainsMono-Regular.ttf",
    "mono 500": "JetBrainsMono-Medium.ttf",
    "mathematics": "UnrolledMath-Regular.ttf",
}


def tabular(font: TTFont) -> dict[str, str]:
    """Return which glyph replaces which when figures are tabular."""
    if "GSUB" not in font:
        return {}
    table = font["GSUB"].table
    swaps: dict[str, str] = {}
    for feature in table.FeatureList.FeatureRecord:
        if feature.FeatureTag == "tnum":
            for index in feature.Feature.LookupListIndex:
                for subtable in table.LookupList.Lookup[index].SubTable:
                    subtable = getattr(subtable, "ExtSubTable", subtable)
                    swaps |= getattr(subtable, "mapping", {})
    return swaps


def advances(path: Path) -> dict[str, int]:
    """Return the advance of each character in thousandths of the font size."""
    font = TTFont(path)
    swaps = tabular(font)
    unit = font["head"].unitsPerEm
    return {
        chr(code): round(1000 * font["hmtx"][swaps.get(glyph, glyph)][0] / unit)
        for code, glyph in font.getBestCmap().items()
    }


def main() -> None:
    """Write the table."""
    table = {style: advances(FONTS / name) for style, name in STYLES.items()}
    text = json.dumps(table, ensure_ascii=False, separators=(",", ":")) + "\n"
    (FONTS / "metrics.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
