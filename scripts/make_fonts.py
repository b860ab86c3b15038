"""Make assets/fonts from the upstream fonts, cut down to the characters that lectures use.

Run on Debian 13 or newer (its fonts-inter is Inter 4.1), with fontTools::

    apt-get download fonts-inter fonts-jetbrains-mono fonts-noto-core
    for package in fonts-*.deb; do dpkg-deb -x "$package" unpacked; done
    python scripts/make_fonts.py unpacked/usr/share/fonts

The licences (SIL OFL 1.1, no reserved font names) allow subsets under the same names. What the
files keep: Latin, Greek, Cyrillic, punctuation, super- and subscripts, arrows, mathematics and
geometric shapes; kerning, tabular figures and the composition of accents. Programming ligatures
are left out, so that no viewer draws `->` as something else than was typed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from fontTools.merge import Merger
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

FONTS = Path(__file__).resolve().parents[1] / "assets" / "fonts"

# Latin to Latin Extended-A, Greek, Cyrillic; punctuation, super- and subscripts, currency,
# letterlike, number forms, arrows, operators, technical, geometric shapes, symbols, brackets.
TEXT = [
    range(0x20, 0x7F),
    range(0xA0, 0x180),
    range(0x218, 0x21C),
    range(0x2B0, 0x370),
    range(0x370, 0x400),
    range(0x400, 0x460),
    range(0x1D00, 0x1DC0),
    range(0x2000, 0x2070),
    range(0x2070, 0x20D0),
    range(0x2100, 0x2190),
    range(0x2190, 0x2200),
    range(0x2200, 0x2300),
    range(0x2300, 0x2400),
    range(0x2423, 0x2424),
    range(0x25A0, 0x2600),
    range(0x2713, 0x2719),
]
TOO_LARGE = {0x2295, 0x2296, 0x2297}  # Inter draws circled operators as large as buttons
# What Inter lacks of these, and the brackets, letters and long arrows of mathematics.
MATHEMATICS = [
    range(0x2100, 0x2150),
    range(0x2190, 0x2200),
    range(0x2200, 0x2300),
    range(0x2308, 0x230C),
    range(0x2329, 0x232B),
    range(0x239B, 0x23B7),
    range(0x27C0, 0x2800),
    range(0x2A00, 0x2A10),
    range(0x1D434, 0x1D468),  # italic letters
    range(0x1D538, 0x1D56C),  # double-struck letters
]
RAISED_LETTERS = [range(0x1D2C, 0x1D6B), range(0x2090, 0x209D)]
CONTROLS = [range(0x23E9, 0x23FB)]

FEATURES = ["kern", "mark", "mkmk", "ccmp", "locl", "tnum", "zero", "case", "sups", "subs", "sinf"]

HYPHENS = (0x2D, 0x2010, 0x2011)
INTER = "opentype/inter/"
MONO = "truetype/jetbrains-mono/"
NOTO = "truetype/noto/"
TEXT_FILES = (
    f"{INTER}Inter-Regular.otf",
    f"{INTER}Inter-Medium.otf",
    f"{INTER}Inter-SemiBold.otf",
    f"{INTER}Inter-Bold.otf",
    f"{INTER}Inter-Italic.otf",
    f"{INTER}Inter-MediumItalic.otf",
    f"{INTER}Inter-SemiBoldItalic.otf",
    f"{INTER}InterDisplay-SemiBold.otf",
    f"{INTER}InterDisplay-Bold.otf",
    f"{MONO}JetBrainsMono-Regular.ttf",
    f"{MONO}JetBrainsMono-Medium.ttf",
)


def without(ranges: list[range], excluded: set[int]) -> list[int]:
    """Return the code points of `ranges` that are not in `excluded`."""
    return [code for codes in ranges for code in codes if code not in excluded]


def subset(path: Path, codes: list[int], features: list[str]) -> TTFont:
    """Return the font at `path` with the characters `codes` and nothing else."""
    options = Options()
    options.layout_features = features
    options.name_IDs = ["*"]
    options.notdef_outline = True
    options.glyph_names = False
    options.hinting = False  # the painter asks for no hinting: the same pixels on every machine
    options.drop_tables += ["MATH", "DSIG", "meta"]
    font = TTFont(path)
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=codes)
    subsetter.subset(font)
    return font


def plain_hyphens(font: TTFont) -> None:
    """Leave hyphens as they are: among tabular figures they are half as wide again, a gap in words.

    What has to stand in columns is written with a minus sign.
    """
    hyphens = {font.getBestCmap().get(code) for code in HYPHENS}
    table = font["GSUB"].table
    for feature in table.FeatureList.FeatureRecord:
        if feature.FeatureTag == "tnum":
            for index in feature.Feature.LookupListIndex:
                for subtable in table.LookupList.Lookup[index].SubTable:
                    subtable = getattr(subtable, "ExtSubTable", subtable)
                    for glyph in hyphens & set(subtable.mapping):
                        del subtable.mapping[glyph]


def rename(font: TTFont, family: str) -> None:
    """Give a regular font another family name."""
    names = {1: family, 2: "Regular", 3: family, 4: family, 6: family.replace(" ", "") + "-Regular"}
    for record in list(font["name"].names):
        if record.nameID in names:
            record.string = names[record.nameID]
        elif record.nameID in (16, 17, 21, 22):
            font["name"].names.remove(record)


def main(arguments: list[str] | None = None) -> int:
    """Write every file of assets/fonts."""
    parser = argparse.ArgumentParser(description="Make assets/fonts from the upstream fonts.")
    parser.add_argument("source", type=Path, help="a folder with opentype/ and truetype/")
    source = parser.parse_args(arguments).source
    FONTS.mkdir(parents=True, exist_ok=True)
    for name in TEXT_FILES:
        font = subset(source / name, without(TEXT, TOO_LARGE), FEATURES)
        if name.startswith(INTER):
            plain_hyphens(font)
        font.save(FONTS / Path(name).name)

    # One fallback instead of three, so that a list of families stays short.
    inter = set(TTFont(FONTS / "Inter-Regular.otf").getBestCmap())
    parts = [
        (f"{NOTO}NotoSansMath-Regular.ttf", MATHEMATICS),
        (f"{NOTO}NotoSans-Regular.ttf", RAISED_LETTERS),
        (f"{NOTO}NotoSansSymbols2-Regular.ttf", CONTROLS),
    ]
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for number, (name, ranges) in enumerate(parts):
            file = Path(folder) / f"{number}.ttf"
            subset(source / name, without(ranges, inter), []).save(file)
            files.append(str(file))
        merged = Merger().merge(files)
    rename(merged, "Unrolled Math")
    merged.save(FONTS / "UnrolledMath-Regular.ttf")
    return 0


if __name__ == "__main__":
    sys.exit(main())
