"""Text into words: one is hidden, changes are said, and nothing that can be typed fails."""

from __future__ import annotations

from time import process_time

import pytest

from engine.tokens import Sentence, SentenceError, read_sentence

WORDS = ("<pad>", "<unk>", "___", "the", "cat", "that", "slept", "purrs", ".", ",", "dog's")
VOCABULARY = {word: i for i, word in enumerate(WORDS)}


def read(text: str, **options: int | None) -> Sentence:
    return read_sentence(text, VOCABULARY, **options)  # type: ignore[arg-type]


def test_the_blank_is_the_hidden_word() -> None:
    assert read("the cat that slept ___") == Sentence(
        typed=("the", "cat", "that", "slept", "___"),
        tokens=("the", "cat", "that", "slept", "___"),
        ids=(3, 4, 5, 6, 2),
        hidden=4,
        unknown=(False,) * 5,
        notes=(),
    )


@pytest.mark.parametrize("blank", ["__", "___", "_" * 50, "＿＿", "slept___"[5:]])
def test_two_or_more_underscores_are_the_blank(blank: str) -> None:
    assert read(f"the {blank} purrs").tokens == ("the", "___", "purrs")


def test_a_blank_is_set_off_from_the_word_it_touches() -> None:
    assert read("the cat___.").tokens == ("the", "cat", "___", ".")


def test_one_underscore_is_no_blank() -> None:
    assert read("a_b the ___").tokens == ("a_b", "the", "___")


def test_without_a_blank_the_last_word_is_hidden_and_said() -> None:
    sentence = read("the cat purrs")
    assert sentence.hidden == 2
    assert sentence.typed == ("the", "cat", "purrs")
    assert sentence.tokens == ("the", "cat", "___")
    assert sentence.ids[2] == VOCABULARY["___"]
    assert sentence.notes == ("There is no ___, so the last word, “purrs”, is hidden.",)


def test_a_full_stop_is_not_the_last_word() -> None:
    assert read("the cat purrs .").tokens == ("the", "cat", "___", ".")


def test_a_mark_is_hidden_when_there_is_nothing_else() -> None:
    assert read("! ?").tokens == ("!", "___")


def test_of_several_blanks_the_first_is_asked_for_and_said() -> None:
    sentence = read("the ___ that ___")
    assert sentence.hidden == 1
    assert sentence.ids == (3, 2, 5, 1)
    assert sentence.unknown == (False, False, False, True)
    assert sentence.notes == (
        "Only the first blank is asked for; the other blank is read as unknown.",
    )


# ---- what is changed is said -------------------------------------------------------------------


def test_capitals_are_lowered_and_said() -> None:
    sentence = read("The CAT ___")
    assert sentence.tokens == ("the", "cat", "___")
    assert sentence.notes == ("Capitals are read as small letters.",)


def test_punctuation_is_set_off_and_said() -> None:
    sentence = read("the cat, that ___.")
    assert sentence.tokens == ("the", "cat", ",", "that", "___", ".")
    assert sentence.notes == ("Punctuation is set off and read as words.",)


def test_apostrophes_and_hyphens_stay_inside_words() -> None:
    assert read("the dog's well-known ___").tokens == ("the", "dog's", "well-known", "___")


@pytest.mark.parametrize("break_", ["\n", "\r\n", "\u2028", "\x85", "\x0b"])
def test_line_breaks_are_spaces_and_said(break_: str) -> None:
    sentence = read(f"the cat{break_}that ___")
    assert sentence.tokens == ("the", "cat", "that", "___")
    assert sentence.notes == ("Line breaks are read as spaces.",)


def test_white_space_around_the_text_is_not_worth_a_note() -> None:
    assert read("  the\t cat ___ \n").notes == ()


def test_words_outside_the_vocabulary_are_marked_and_said() -> None:
    sentence = read("the zebra that yawned ___")
    assert sentence.typed == ("the", "zebra", "that", "yawned", "___")
    assert sentence.unknown == (False, True, False, True, False)
    assert sentence.ids == (3, 1, 5, 1, 2)
    assert sentence.notes == ("Outside the vocabulary, read as unknown: “zebra”, “yawned”.",)


def test_a_hidden_word_may_lie_outside_the_vocabulary() -> None:
    sentence = read("the cat meows")
    assert sentence.unknown == (False,) * 3
    assert sentence.typed[2] == "meows"


@pytest.mark.parametrize("word", ["<pad>", "<unk>"])
def test_the_vocabulary_s_own_marks_cannot_be_typed(word: str) -> None:
    sentence = read(f"the {word} ___")
    assert VOCABULARY["<pad>"] not in sentence.ids
    assert sentence.tokens == ("the", "<", word[1:-1], ">", "___")


# ---- long text ---------------------------------------------------------------------------------


def test_of_a_long_text_the_words_that_end_with_the_blank_are_kept() -> None:
    sentence = read(" ".join(f"w{i}" for i in range(2100)) + " ___ the cat")
    assert sentence.tokens == (*(f"w{i}" for i in range(53, 2100)), "___")
    assert sentence.hidden == 2047
    assert sentence.notes[0] == "Of 2 103 words the 2048 that end with the blank are read."


@pytest.mark.parametrize("place", [0, 7, 2047])
def test_of_a_long_text_the_first_words_are_kept_when_the_blank_is_there(place: int) -> None:
    words = ["cat"] * 2060
    words[place] = "___"
    sentence = read(" ".join(words))
    assert sentence.tokens == tuple(words[:2048])
    assert sentence.hidden == place
    assert sentence.notes == ("Of 2 060 words the first 2048 are read.",)


def test_of_a_long_text_without_a_blank_the_last_words_are_kept() -> None:
    sentence = read("cat " * 2060 + "purrs")
    assert sentence.typed == ("cat",) * 2047 + ("purrs",)
    assert sentence.hidden == 2047


def test_2048_words_are_read_as_they_are() -> None:
    assert read("cat " * 2047 + "___").notes == ()


def test_ten_thousand_words_are_read_at_once() -> None:
    text = "The zebra, that slept; " * 2500
    start = process_time()
    sentence = read(text)
    assert process_time() - start < 0.5  # a few milliseconds on any machine of today
    assert len(sentence.tokens) == 2048


def test_a_million_letters_without_a_space_are_one_short_word() -> None:
    sentence = read("a" * 3_000_000 + " ___")
    assert len(sentence.typed[0]) == 40
    assert "Words are cut after 40 characters." in sentence.notes


# ---- what can be typed -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["", " ", "\n\t\r", "\x00\x07", "\u200b\u202e", "\ud800", "\u3000"]
)
def test_text_without_a_word_is_refused_with_one_sentence(text: str) -> None:
    with pytest.raises(SentenceError, match=r"^There is no word to read; type a sentence"):
        read(text)


@pytest.mark.parametrize(
    "text",
    [
        "🐈 the 👩‍👩‍👧‍👦 🇩🇪 ___",
        "القط الذي نام ___",
        "החתול שישן ___",
        "ถ้า ___ 猫 が 寝る",
        "e\u0301 " + "z" + "\u0335" * 500 + " ___",
        "\u0301 ___",
        "\u200d ___",
        "the\u0000cat \x1b[31m ___",
        "\ud83d the \udc00 ___",
        "the \u202ecat\u202c ___",
        "ﬁ İ ß Σ ___",
        "_ _ _",
        "((((((((((",
    ],
)
def test_anything_typed_is_read(text: str) -> None:
    sentence = read(text)
    n = len(sentence.tokens)
    assert len(sentence.typed) == len(sentence.ids) == len(sentence.unknown) == n
    assert sentence.tokens[sentence.hidden] == "___"
    " ".join(sentence.typed).encode()  # no lone surrogate is left


def test_control_characters_are_left_out_and_said() -> None:
    sentence = read("the c\x00a\u202et ___")
    assert sentence.tokens == ("the", "cat", "___")
    assert sentence.notes == ("Control characters are left out.",)


def test_letters_typed_in_two_parts_are_one() -> None:
    assert read("cafe\u0301 ___").typed[0] == "café"


def test_emoji_of_several_parts_stay_whole() -> None:
    assert read("👩‍👩‍👧‍👦 ___").typed[0] == "👩‍👩‍👧‍👦"
