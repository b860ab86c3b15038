"""Every word on the screen, by key, in one language; from assets/captions."""

from __future__ import annotations

import json
from functools import cache

from engine.assets import ASSETS


class Captions:
    """The words of one language: ``captions("rt.state_title", index=3, word="that")``."""

    def __init__(self, words: dict[str, str]) -> None:
        self._words = words

    def __call__(self, key: str, /, **fields: object) -> str:
        """Return the words of a key with its fields put in.

        Where ``count`` is 1, those of "key.one" are taken if there are any.

        Raises
        ------
        KeyError
            When the language has no such key, or the words a field that is not given.
        """
        one = f"{key}.one" if fields.get("count") == 1 else key
        return self._words.get(one, self._words[key]).format(**fields)


@cache
def load(language: str = "en") -> Captions:
    """Return the words of a language; the same object each time, so that views compare equal."""
    text = (ASSETS / "captions" / f"{language}.json").read_text(encoding="utf-8")
    return Captions(json.loads(text))
