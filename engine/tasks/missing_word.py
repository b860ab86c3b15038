"""The task of the trained pair: guess the hidden word of a sentence.

A small grammar writes sentences of 3 to 32 words. Every animal, person and thing has a verb of its
own, so that the hidden verb of "the cat that slept ___" can be guessed from the noun *cat* (purr)
and from its number (purrs), however many words stand between them:

    sentence  = clause [conjunction clause]
    clause    = subject modifiers [adverb] verb rest
    subject   = determiner [adjective] noun                    singular or plural
    modifiers = [preposition noun phrase [preposition noun phrase]] [relative clause]
    relative  = that slept | that chased the dogs              subject relative
              | that the teacher likes                         object relative
    verb rest = purrs [adverb | preposition noun phrase]       own verb 85 %, a general one 15 %
              | sees the dogs | is small                       sees 60 %, another transitive 40 %

The draw of verb and rest depends on the subject alone, never on what else was written, so the best
possible guess is known exactly for every sentence (``Example.best``) and on average
(``best_accuracy``).
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from zlib import crc32

from engine.tokens import BLANK, PADDING, UNKNOWN

SHORTEST, LONGEST = 3, 32
OWN_VERB = 0.85  # chance that an intransitive main verb is the noun's own
USUAL_VERB = 0.60  # chance that a transitive main verb is the usual one
HELD_OUT_OF = 10  # one sentence of so many is held out

# Noun and own verb, per kind of noun.
NOUNS: dict[str, dict[str, str]] = {
    "animal": {
        "cat": "purr", "dog": "bark", "bird": "chirp", "horse": "gallop", "fox": "sneak",
        "cow": "graze", "lion": "roar", "mouse": "squeak", "rabbit": "hop", "duck": "quack",
        "wolf": "howl", "goat": "climb", "frog": "croak", "snake": "hiss", "bee": "buzz",
        "pig": "grunt", "shark": "swim", "hawk": "soar",
    },
    "person": {
        "teacher": "explain", "student": "learn", "doctor": "heal", "farmer": "plant",
        "child": "play", "king": "rule", "sailor": "sail", "singer": "sing", "baker": "bake",
        "pilot": "land", "nurse": "care", "guard": "watch", "painter": "paint",
        "dancer": "dance", "writer": "write", "judge": "decide", "waiter": "serve",
        "lawyer": "argue",
    },
    "thing": {
        "key": "turn", "book": "close", "lamp": "shine", "stone": "roll", "cup": "crack",
        "box": "open", "coin": "drop", "letter": "arrive", "clock": "tick", "drum": "beat",
        "boat": "float", "bell": "chime", "candle": "burn", "wheel": "spin", "kettle": "boil",
        "door": "creak",
    },
}  # fmt: skip
PLACES = (
    "garden", "river", "house", "field", "forest", "street", "cabinet", "table", "hill", "market",
)  # fmt: skip
IRREGULAR = {"mouse": "mice", "wolf": "wolves", "child": "children"}
GENERAL = ("wait", "stay", "move", "rest")
TRANSITIVE = {
    "see": "saw", "like": "liked", "follow": "followed", "chase": "chased", "hear": "heard",
    "find": "found",
}  # fmt: skip
USUAL = "see"
PAST = {
    "animal": ("slept", "ran", "hid", "fell", "jumped"),
    "person": ("slept", "ran", "sang", "fell", "jumped"),
    "thing": ("fell", "vanished", "shook"),
}
DETERMINERS = {False: ("a", "this", "every"), True: ("some", "these", "many")}  # beside "the"
ADJECTIVES = (
    "small", "big", "red", "brown", "tall", "strange", "bright", "dark", "quiet", "new",
)  # fmt: skip
OF_THE_LIVING = ("young", "happy", "clever", "proud")
BEFORE_VERB = ("quietly", "slowly", "often", "always")
AFTER_VERB = ("quietly", "slowly", "here", "today", "again", "outside")
PREPOSITIONS = ("near", "behind", "in", "by", "under", "beside")
CONJUNCTIONS = ("and", "but", "while", "because", "so")
COPULA = {False: "is", True: "are"}

KINDS = tuple(NOUNS)
FRAMES = {  # chance of: intransitive, transitive, copula
    "animal": (0.70, 0.15, 0.15),
    "person": (0.70, 0.15, 0.15),
    "thing": (0.80, 0.00, 0.20),
}
TWO_CLAUSES = 0.25  # chance of a second clause in a usual sentence; a rich one always has it
RICH = 0.05  # chance of a rich sentence, which is what sentences of 25 to 32 words are
# Chance of a first preposition, of a second behind the first, and of a relative clause.
USUAL_MODIFIERS, RICH_MODIFIERS = (0.3, 0.25, 0.45), (0.9, 0.7, 0.9)
SUBJECT, PREDICATE = 3, 5  # the most words of a bare subject; of a verb with what belongs to it


def plural(noun: str) -> str:
    """Return the plural of a noun."""
    return IRREGULAR.get(noun, noun + ("es" if noun.endswith("x") else "s"))


def third_person(verb: str) -> str:
    """Return the form of a verb that goes with a singular subject."""
    return verb + ("es" if verb.endswith(("s", "sh", "ch", "x", "zz")) else "s")


def _form(verb: str, many: bool) -> str:
    return verb if many else third_person(verb)


def _nouns(some: Iterable[str]) -> list[str]:
    return [form for noun in some for form in (noun, plural(noun))]


def _verbs(some: Iterable[str]) -> list[str]:
    return [form for verb in some for form in (third_person(verb), verb)]


def _by_kind() -> dict[str, tuple[str, ...]]:
    """Return every word that the grammar writes by its kind, in the order of their ids."""
    every: dict[str, Iterable[str]] = {
        "determiner": ("the", *DETERMINERS[False], *DETERMINERS[True]),
        "relative": ("that", "who"),
        **{kind: _nouns(NOUNS[kind]) for kind in KINDS},
        "place": _nouns(PLACES),
        **{f"verb_{kind}": _verbs(NOUNS[kind].values()) for kind in KINDS},
        "verb_any": _verbs((*GENERAL, *TRANSITIVE)),
        "be": (COPULA[False], COPULA[True]),
        "past": (*TRANSITIVE.values(), *(verb for kind in KINDS for verb in PAST[kind])),
        "adjective": (*ADJECTIVES, *OF_THE_LIVING),
        "adverb": (*BEFORE_VERB, *AFTER_VERB),
        "preposition": PREPOSITIONS,
        "conjunction": CONJUNCTIONS,
    }
    return {kind: tuple(dict.fromkeys(words)) for kind, words in every.items()}


WORDS_BY_KIND = _by_kind()
WORDS = tuple(dict.fromkeys(word for words in WORDS_BY_KIND.values() for word in words))
VOCABULARY = (PADDING, UNKNOWN, BLANK, *WORDS)

_BASES = [verb for kind in KINDS for verb in NOUNS[kind].values()] + [*GENERAL, *TRANSITIVE]
NUMBER = {  # of every form of a verb that shows it: True for plural
    COPULA[False]: False,
    COPULA[True]: True,
    **{third_person(verb): False for verb in _BASES},
    **dict.fromkeys(_BASES, True),
}

_KIND_OF = {form: kind for kind in KINDS for noun in NOUNS[kind] for form in (noun, plural(noun))}


@dataclass(frozen=True, slots=True)
class Example:
    """A sentence of the grammar, with one main verb that can be asked for.

    Parameters
    ----------
    words
        The sentence.
    verb, subject
        Index of the main verb, and of the noun that it agrees with.
    plural
        The number of both.
    best
        Chance that the best possible guess of the main verb, given all other words, is right.
    """

    words: tuple[str, ...]
    verb: int
    subject: int
    plural: bool
    best: float

    @property
    def distance(self) -> int:
        """How many words the verb stands right of its subject."""
        return self.verb - self.subject

    @property
    def best_from_left(self) -> float:
        """Chance that the best possible guess of the main verb is right, given what is left of it.

        What follows the verb is not seen, so the frame has to be guessed, too:

            max_frame P(frame | kind of the subject) max_verb P(verb | frame, subject)
        """
        chances = FRAMES[_KIND_OF[self.words[self.subject]]]
        return max(chance * best_guess(frame) for frame, chance in enumerate(chances))


def is_held_out(words: Sequence[str]) -> bool:
    """Return whether training never sees this sentence; the same on every machine.

    The words beside the verbs decide, so that all sentences that differ in a verb alone are held
    out together, and the chances of the verbs are the same among the held-out sentences.
    """
    rest = " ".join(BLANK if word in NUMBER else word for word in words)
    return crc32(rest.encode()) % HELD_OUT_OF == 0


def examples(seed: int, *, held_out: bool | None = None) -> Iterator[Example]:
    """Yield sentences without end, the same for the same seed.

    Parameters
    ----------
    seed
        Of the draws.
    held_out
        True for the held-out sentences alone, False for the others alone, None for both.
    """
    rng = random.Random(seed)
    while True:
        example = _sentence(rng)
        if held_out is None or is_held_out(example.words) is held_out:
            yield example


def best_guess(frame: int) -> float:
    """Return the chance that the likeliest main verb of a frame is the right one."""
    if frame == 0:  # a general verb has a share of what the own verb leaves
        return OWN_VERB
    return USUAL_VERB if frame == 1 else 1.0


def best_accuracy() -> float:
    """Return the word accuracy at the main verb that no model can exceed on average.

        Σ_kind P(kind) Σ_frame P(frame | kind) max_verb P(verb | frame, subject)

    The frame can be read off what follows the verb (a noun phrase: transitive; an adjective:
    copula), and all kinds of subject are equally likely.
    """
    return sum(
        chance * best_guess(frame) for kind in KINDS for frame, chance in enumerate(FRAMES[kind])
    ) / len(KINDS)


def _sentence(rng: random.Random) -> Example:
    words: list[str] = []
    rich = rng.random() < RICH
    modifiers = RICH_MODIFIERS if rich else USUAL_MODIFIERS
    asked = [_clause(rng, words, LONGEST, modifiers)]
    if rich or rng.random() < TWO_CLAUSES:
        words.append(rng.choice(CONJUNCTIONS))
        asked.append(_clause(rng, words, LONGEST - len(words), modifiers))
    return Example(tuple(words), *rng.choice(asked))


def _clause(
    rng: random.Random, words: list[str], room: int, modifiers: tuple[float, ...]
) -> tuple[int, int, bool, float]:
    """Append a clause of at most ``room`` words; return its verb, subject, number and best."""
    room -= SUBJECT + PREDICATE  # what is left for modifiers
    kind = rng.choice(KINDS)
    noun, many = _noun_phrase(rng, words, kind, adjective=0.3)
    subject = len(words) - 1
    *prepositions, relative = modifiers
    for chance in prepositions:
        if room < 4 or rng.random() >= chance:
            break
        before = len(words)
        _prepositional(rng, words)
        room -= len(words) - before
    if room >= 5 and rng.random() < relative:
        _relative(rng, words, kind)
    if rng.random() < 0.1:
        words.append(rng.choice(BEFORE_VERB))
    verb = len(words)
    frame = rng.choices((0, 1, 2), FRAMES[kind])[0]
    if frame == 0:
        own = rng.random() < OWN_VERB
        words.append(_form(NOUNS[kind][noun] if own else rng.choice(GENERAL), many))
        more = rng.random()
        if more < 0.3:
            words.append(rng.choice(AFTER_VERB))
        elif more < 0.45:
            _prepositional(rng, words, adjective=0.0)
    elif frame == 1:
        others = [verb for verb in TRANSITIVE if verb != USUAL]
        words.append(_form(USUAL if rng.random() < USUAL_VERB else rng.choice(others), many))
        _noun_phrase(rng, words, rng.choice(KINDS), adjective=0.2)
    else:
        words.append(COPULA[many])
        words.append(_adjective(rng, kind))
    return verb, subject, many, best_guess(frame)


def _noun_phrase(
    rng: random.Random, words: list[str], kind: str, *, adjective: float
) -> tuple[str, bool]:
    """Append determiner, perhaps an adjective, noun; return the noun and whether it is many."""
    noun = rng.choice(PLACES if kind == "place" else tuple(NOUNS[kind]))
    many = rng.random() < 0.5
    words.append("the" if rng.random() < 0.6 else rng.choice(DETERMINERS[many]))
    if rng.random() < adjective:
        words.append(_adjective(rng, kind))
    words.append(plural(noun) if many else noun)
    return noun, many


def _adjective(rng: random.Random, kind: str) -> str:
    living = kind in ("animal", "person")
    return rng.choice(ADJECTIVES + OF_THE_LIVING if living else ADJECTIVES)


def _prepositional(rng: random.Random, words: list[str], *, adjective: float = 0.1) -> None:
    """Append a preposition and a noun phrase: at most 4 words, 3 without adjective."""
    words.append(rng.choice(PREPOSITIONS))
    _noun_phrase(rng, words, "place" if rng.random() < 0.7 else "thing", adjective=adjective)


def _relative(rng: random.Random, words: list[str], kind: str) -> None:
    """Append a relative clause of at most 5 words; its verb never shows the subject's number."""
    words.append("who" if kind == "person" and rng.random() < 0.3 else "that")
    which = rng.random()
    if which < 0.4:
        words.append(rng.choice(PAST[kind]))
    elif which < 0.6 and kind != "thing":
        words.append(rng.choice(tuple(TRANSITIVE.values())))
        _noun_phrase(rng, words, rng.choice(KINDS), adjective=0.1)
    else:
        _, many = _noun_phrase(rng, words, rng.choice(("animal", "person")), adjective=0.1)
        words.append(_form(rng.choice(tuple(TRANSITIVE)), many))
