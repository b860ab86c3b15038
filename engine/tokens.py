"""Text into the words that a model reads: one of them hidden, every change said.

Nothing that can be typed fails, except nothing at all.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from engine.said import Said

LIMIT = 2048  # words that are kept: a run of more would not fit into memory
PADDING, UNKNOWN, BLANK = "<pad>", "<unk>", "___"  # the words that every vocabulary has
MOST_CHARACTERS = 1_000_000
LONGEST_WORD = 40  # characters; a word box holds no more


@dataclass(frozen=True)
class Sentence:
    """A sentence as the models read it.

    ``typed`` holds the words, the hidden one included where it was typed; ``tokens`` the same with
    "___" at the index ``hidden``; ``unknown`` marks words outside the vocabulary; ``notes`` says in
    short sentences what was changed.
    """

    typed: tuple[str, ...]
    tokens: tuple[str, ...]
    ids: tuple[int, ...]
    hidden: int
    unknown: tuple[bool, ...]
    notes: tuple[str, ...]


class SentenceError(Said):
    """Text that holds no sentence: what is missing, and what to do, in a sentence."""


# Invisible characters that would reorder or split a word on screen: control characters other than
# white space, soft hyphens, zero-width space, bidirectional controls, tags, lone surrogates. The
# joiners U+200C and U+200D stay, because Persian and emoji are written with them.
_CONTROL = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\ufeff\ufff0-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
_LINE_BREAK = re.compile("[\n\r\x0b\x0c\x85\u2028\u2029]")
# Punctuation of the scripts that are met most, and the brackets that special words are written in.
_MARK = (
    r"!-#%-*,-/:-@\[-\]{-}¡§«¶·»¿"
    "\u05be\u05c0\u05c3\u05f3\u05f4\u060c\u061b\u061f\u066a-\u066d\u06d4\u0964\u0965"
    "\u2010-\u2027\u2030-\u205e\u3001-\u3003\u3008-\u3011\uff01-\uff0f\uff1a-\uff20"
)
_LETTERS = rf"(?:[^\s_{_MARK}]|(?<!_)_(?!_))+"
# A blank, or letters with an apostrophe or hyphen only between them, or one mark.
_WORD = re.compile(rf"_{{2,}}|{_LETTERS}(?:['’\-‐‑]{_LETTERS})*|[{_MARK}]")


def read_sentence(text: str, vocabulary: Mapping[str, int], limit: int = LIMIT) -> Sentence:
    """Return the words of a text, their ids, and which of them is hidden.

    Two or more underscores are the blank; without one the last word is hidden. Of a text with more
    than ``limit`` words those that end with the blank are kept, or the first if it lies there.

    Parameters
    ----------
    text
        What was typed.
    vocabulary
        Ids by word, with "___" and "<unk>" among them.
    limit
        The most words that are kept.

    Raises
    ------
    SentenceError
        With one sentence, when the text holds no word.
    """
    notes: list[str] = []
    words = _words(text, notes)
    if not words:
        raise SentenceError(f"There is no word to read; type a sentence with {BLANK} for a word.")
    blanks = [i for i, word in enumerate(words) if word == BLANK]
    hidden = blanks[0] if blanks else _last_word(words)
    count = len(words)
    if count > limit:
        start = max(0, hidden + 1 - limit)
        words, hidden = words[start : start + limit], hidden - start
        which = f"the {limit} that end with the blank" if start else f"the first {limit}"
        notes.append(f"Of {_grouped(count)} words {which} are read.")
    if not blanks:
        notes.append(f"There is no {BLANK}, so the last word, “{words[hidden]}”, is hidden.")
    others = [i for i, word in enumerate(words) if word == BLANK and i != hidden]
    if others:
        plural = "s are" if len(others) > 1 else " is"
        notes.append(f"Only the first blank is asked for; the other blank{plural} read as unknown.")
    unknown = tuple(
        i != hidden and (word == BLANK or word not in vocabulary) for i, word in enumerate(words)
    )
    strange = dict.fromkeys(
        word for word, is_unknown in zip(words, unknown, strict=True) if is_unknown
    )
    strange.pop(BLANK, None)
    if strange:
        listed = ", ".join(f"“{word}”" for word in list(strange)[:3])
        more = f" and {len(strange) - 3} more" if len(strange) > 3 else ""
        notes.append(f"Outside the vocabulary, read as unknown: {listed}{more}.")
    tokens = tuple(BLANK if i == hidden else word for i, word in enumerate(words))
    return Sentence(
        typed=tuple(words),
        tokens=tokens,
        ids=tuple(
            vocabulary[UNKNOWN if is_unknown else token]
            for token, is_unknown in zip(tokens, unknown, strict=True)
        ),
        hidden=hidden,
        unknown=unknown,
        notes=tuple(notes),
    )


def _words(text: str, notes: list[str]) -> list[str]:
    """Return all words of a text in small letters, and note what had to be changed."""
    if len(text) > MOST_CHARACTERS:
        text = text[:MOST_CHARACTERS]
        notes.append(f"Only the first {_grouped(MOST_CHARACTERS)} characters are read.")
    visible = _CONTROL.sub("", text)
    if visible != text:
        notes.append("Control characters are left out.")
    if _LINE_BREAK.search(visible.strip()):
        notes.append("Line breaks are read as spaces.")
    text = unicodedata.normalize("NFC", visible).replace("＿", "_")
    small = text.lower()
    if small != text:
        notes.append("Capitals are read as small letters.")
    words = _WORD.findall(small)
    if len(words) != len(small.split()):
        notes.append("Punctuation is set off and read as words.")
    if any(len(word) > LONGEST_WORD and not word.startswith("__") for word in words):
        notes.append(f"Words are cut after {LONGEST_WORD} characters.")
    return [BLANK if word.startswith("__") else _cut(word) for word in words]


def _cut(word: str) -> str:
    return word if len(word) <= LONGEST_WORD else f"{word[: LONGEST_WORD - 1]}…"


def _last_word(words: list[str]) -> int:
    """Return the index of the last word that has a letter or digit, or of the last mark."""
    for i in range(len(words) - 1, -1, -1):
        if any(character.isalnum() for character in words[i]):
            return i
    return len(words) - 1


def _grouped(count: int) -> str:
    return f"{count:,}".replace(",", "\u2009")
