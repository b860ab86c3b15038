"""What tests of scenes read off a picture: its shapes, its texts, and where they lie."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from widgets.geometry import text_width
from widgets.picture import Group, Picture, Shape, Text


def flat(shapes: tuple[Shape, ...]) -> Iterator[Shape]:
    """Yield all that is seen, out of its groups."""
    for shape in shapes:
        if isinstance(shape, Group):
            assert (shape.dx, shape.dy) == (0, 0)  # or boxes would lie elsewhere
            if shape.opacity > 0:
                yield from flat(shape.shapes)
        else:
            yield shape


def texts(picture: Picture) -> list[Text]:
    """Return every text that says something."""
    return [s for s in flat(picture.shapes) if isinstance(s, Text) and s.text.strip()]


def box_of(text: Text) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of a text, without what hangs below its line."""
    width = text_width(text.text, text.size, text.weight, text.family, text.italic)
    left = {"start": 0.0, "middle": -width / 2, "end": -width}[text.anchor]
    if text.rotate:
        assert text.rotate == -90
        return (text.x - 0.72 * text.size, text.y - left - width, text.x, text.y - left)
    top, bottom = text.y - 0.72 * text.size, text.y + 0.02 * text.size
    return (text.x + left, top, text.x + left + width, bottom)


def check_texts(picture: Picture, what: str) -> None:
    """Assert that every text is large enough, within the picture, and upon no other."""
    boxes = [(text, box_of(text)) for text in texts(picture)]
    for text, (x0, y0, x1, y1) in boxes:
        assert text.size >= 14, (what, text)  # 12 px on a screen where the scene is smallest
        assert min(x0, y0) >= 0, (what, text)
        assert x1 <= picture.width, (what, text)
        assert y1 <= picture.height, (what, text)
    for (a, p), (b, q) in itertools.combinations(boxes, 2):
        across = min(p[2], q[2]) - max(p[0], q[0])
        down = min(p[3], q[3]) - max(p[1], q[1])
        assert across <= 1 or down <= 1, f"{what}: {a.text!r} lies upon {b.text!r}"
