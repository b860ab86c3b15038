"""The grammar of the missing word: what it writes, what is held out, what a guess can reach."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import islice

import pytest

from engine.tasks import missing_word as tasks
from engine.tasks.missing_word import NUMBER, WORDS, Example, best_accuracy, examples, is_held_out

NOUN = {  # of every form of a noun: True for plural
    form: many
    for noun in [*tasks.PLACES, *(noun for kind in tasks.NOUNS.values() for noun in kind)]
    for form, many in ((noun, False), (tasks.plural(noun), True))
}
OWN = {noun: verb for kind in tasks.NOUNS.values() for noun, verb in kind.items()}
BASE = {form: noun for noun in OWN for form in (noun, tasks.plural(noun))}


def _own_forms(example: Example) -> tuple[str, str]:
    """Return both forms of the verb that is the subject's own."""
    verb = OWN[BASE[example.words[example.subject]]]
    return verb, tasks.third_person(verb)


@pytest.fixture(scope="module")
def many() -> list[Example]:
    return list(islice(examples(0), 60_000))


def test_the_grammar_writes_300_words_or_more_and_each_is_written(many: list[Example]) -> None:
    written = {word for example in many for word in example.words}
    assert written == set(WORDS)
    assert len(WORDS) >= 300


def test_the_vocabulary_starts_with_padding_unknown_and_blank_and_repeats_no_word() -> None:
    assert tasks.VOCABULARY[:3] == ("<pad>", "<unk>", "___")
    assert len(set(tasks.VOCABULARY)) == len(tasks.VOCABULARY)


def test_every_noun_has_a_verb_of_its_own() -> None:
    assert len(set(OWN.values())) == len(OWN)
    assert not set(OWN.values()) & {*tasks.GENERAL, *tasks.TRANSITIVE}


def test_no_word_is_both_a_noun_and_a_verb() -> None:
    assert not set(NOUN) & set(NUMBER)


def test_a_form_of_a_verb_has_one_number() -> None:
    bases = [*OWN.values(), *tasks.GENERAL, *tasks.TRANSITIVE]
    assert len(NUMBER) == 2 * len(bases) + 2


def test_sentences_of_every_length_from_3_to_32_are_written_and_of_no_other(
    many: list[Example],
) -> None:
    lengths = {len(example.words) for example in many}
    assert lengths == set(range(3, 33))


@pytest.mark.parametrize(
    ("seed", "sentence"),
    [(150878, "the cat that slept purrs"), (4906573, "the keys in the cabinet turn")],
)
def test_the_grammar_writes_the_sentences_of_the_lecture(seed: int, sentence: str) -> None:
    # The seeds were searched for; each starts with this sentence.
    assert " ".join(next(examples(seed)).words) == sentence


def test_every_word_has_a_kind() -> None:
    by_kind = tasks.WORDS_BY_KIND
    assert {word for words in by_kind.values() for word in words} == set(tasks.WORDS)
    assert by_kind["animal"][:4] == ("cat", "cats", "dog", "dogs")
    assert by_kind["verb_animal"][:4] == ("purrs", "purr", "barks", "bark")


def test_the_same_seed_writes_the_same_sentences() -> None:
    assert list(islice(examples(7), 50)) == list(islice(examples(7), 50))
    assert list(islice(examples(7), 50)) != list(islice(examples(8), 50))


def test_the_asked_verb_agrees_with_the_noun_recorded_as_its_subject(many: list[Example]) -> None:
    for example in many:
        assert NOUN[example.words[example.subject]] is example.plural
        assert NUMBER[example.words[example.verb]] is example.plural
        assert example.subject < example.verb


def test_distance_counts_words_from_subject_to_verb() -> None:
    words = ("the", "cat", "that", "slept", "purrs")
    assert Example(words, verb=4, subject=1, plural=False, best=0.85).distance == 3


def test_nouns_of_the_other_number_stand_between_subject_and_verb(many: list[Example]) -> None:
    far = [example for example in many if example.distance >= 3]
    attracted = [
        example
        for example in far
        if any(
            NOUN.get(word, example.plural) is not example.plural
            for word in example.words[example.subject + 1 : example.verb]
        )
    ]
    assert 0.3 < len(attracted) / len(far) < 0.7


def test_a_main_verb_without_object_is_the_nouns_own_85_times_in_100(many: list[Example]) -> None:
    verbs = Counter(
        example.words[example.verb] in _own_forms(example)
        for example in many
        if example.best == tasks.OWN_VERB
    )
    assert verbs[True] / verbs.total() == pytest.approx(0.85, abs=0.01)


def test_one_sentence_in_ten_is_held_out(many: list[Example]) -> None:
    different = {example.words for example in many}
    share = sum(map(is_held_out, different)) / len(different)
    assert share == pytest.approx(0.1, abs=0.01)


def test_whether_a_sentence_is_held_out_never_changes() -> None:
    # Written down, so that an edit of the rule cannot let trained sentences into the held-out ones.
    assert is_held_out("the books close".split())
    assert not is_held_out("the cat that slept purrs".split())


def test_training_sentences_and_held_out_sentences_share_none() -> None:
    training = {example.words for example in islice(examples(3, held_out=False), 5000)}
    held_out = {example.words for example in islice(examples(3, held_out=True), 5000)}
    assert not training & held_out


def test_sentences_that_differ_in_a_verb_alone_are_held_out_together() -> None:
    for sentence in ("the cat that slept ___", "the books ___", "a dog ___ and the bell chimes"):
        forms = {is_held_out(sentence.replace("___", verb).split()) for verb in NUMBER}
        assert len(forms) == 1


def test_the_commonest_verb_is_as_common_among_held_out_sentences() -> None:
    own = Counter(
        example.words[example.verb] in _own_forms(example)
        for example in islice(examples(17, held_out=True), 20_000)
        if example.best == tasks.OWN_VERB
    )
    assert own[True] / own.total() == pytest.approx(0.85, abs=0.01)


def _context(example: Example) -> tuple[str, str]:
    """What a guess of the main verb can go by: the subject, and what follows the verb."""
    after = example.words[example.verb + 1 : example.verb + 2]
    determiners = {"the", *tasks.DETERMINERS[False], *tasks.DETERMINERS[True]}
    adjectives = {*tasks.ADJECTIVES, *tasks.OF_THE_LIVING}
    follows = "object" if set(after) & determiners else "quality" if set(after) & adjectives else ""
    return example.words[example.subject], follows


def test_the_best_accuracy_is_what_the_commonest_verb_of_each_context_reaches(
    many: list[Example],
) -> None:
    verbs: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for example in many:
        verbs[_context(example)][example.words[example.verb]] += 1
    new = list(islice(examples(99), 20_000))
    right = sum(
        verbs[_context(example)].most_common(1)[0][0] == example.words[example.verb]
        for example in new
    )
    # Three standard deviations of a share of 20 000 draws.
    assert right / len(new) == pytest.approx(best_accuracy(), abs=0.0076)


def test_the_best_of_each_sentence_is_what_its_context_counts(many: list[Example]) -> None:
    best: dict[tuple[str, str], set[float]] = defaultdict(set)
    verbs: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for example in many:
        best[_context(example)].add(example.best)
        verbs[_context(example)][example.words[example.verb]] += 1
    often = {context: counted for context, counted in verbs.items() if counted.total() >= 300}
    assert len(often) >= 100
    for context, counted in often.items():
        (said,) = best[context]
        # Four standard deviations of a share of 300 draws.
        assert counted.most_common(1)[0][1] / counted.total() == pytest.approx(said, abs=0.115)


def test_the_mean_best_of_many_sentences_is_the_best_accuracy(many: list[Example]) -> None:
    mean = sum(example.best for example in many) / len(many)
    assert mean == pytest.approx(best_accuracy(), abs=0.003)


def test_the_best_from_the_left_is_what_the_subject_alone_counts(many: list[Example]) -> None:
    verbs: dict[str, Counter[str]] = defaultdict(Counter)
    said: dict[str, set[float]] = defaultdict(set)
    for example in many:
        subject = example.words[example.subject]
        verbs[subject][example.words[example.verb]] += 1
        said[subject].add(example.best_from_left)
    assert len(verbs) == len(BASE)
    for subject, counted in verbs.items():
        (best,) = said[subject]
        assert counted.total() >= 300
        # Four standard deviations of a share of 300 draws.
        assert counted.most_common(1)[0][1] / counted.total() == pytest.approx(best, abs=0.115)
    right = sum(counted.most_common(1)[0][1] for counted in verbs.values())
    mean = sum(example.best_from_left for example in many) / len(many)
    # Three standard deviations of a share of 60 000 draws.
    assert right / len(many) == pytest.approx(mean, abs=0.006)
