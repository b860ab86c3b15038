"""The rule programs: they answer, stop with a reason, and are shown line by line as they run."""

import re
import sys
from collections import defaultdict
from itertools import islice

import numpy as np
import pytest

from engine import rules
from engine.ops import Array
from engine.said import Said
from engine.tasks import dates


@pytest.mark.parametrize(
    "text",
    [
        "5 march 2019", "march 5, 2019", "5 mar 2019", "tuesday, 5 march 2019", "05.03.2019",
        "mar 5th, 2019", "2019/3/5", "5th march 2019", "5 MARCH 2019",
    ],
)  # fmt: skip
def test_every_way_of_writing_a_date_is_read(text: str) -> None:
    assert rules.run("dates", text).answer == "2019-03-05"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("5 mrach 2019", "no month is called 'mrach'"),
        ("christmas 2019", "no month is called 'christmas'"),
        ("30 feb 2019", "this month has no day 30"),
        ("5 march", "one year of four digits is needed"),
        ("2019 2020", "one year of four digits is needed"),
        ("march 2019", "one day is needed beside the month"),
        ("13.13.2019", "there is no month 13"),
        ("", "one year of four digits is needed"),
        ("🙂 \x00 ٣", "one year of four digits is needed"),
    ],
)
def test_garbage_stops_the_rule_with_a_reason(text: str, reason: str) -> None:
    ran = rules.run("dates", text)
    assert (ran.answer, ran.reason) == (None, reason)
    assert "raise" in rules.RULES["dates"].source[ran.lines[-1].number]


def test_the_bracket_rule_says_what_is_due_behind_every_bracket() -> None:
    assert rules.run("brackets", "([{}])(").answer == ")]}]).)"
    assert rules.run("brackets", "([)").reason == "')' closes nothing that is open"
    assert rules.run("brackets", ")").reason == "')' closes nothing that is open"


def test_the_lines_shown_are_those_that_ran_with_their_values() -> None:
    ran = rules.run("brackets", "(")
    source = rules.RULES["brackets"].source
    shown = [source[line.number].strip() for line in ran.lines]
    assert shown == [
        'answer, stack = "", []',
        "for bracket in text:",
        "if bracket in CLOSED_BY:",
        "stack.append(CLOSED_BY[bracket])",
        'answer += stack[-1] if stack else "."',
        "for bracket in text:",
        "return answer",
    ]
    assert dict(ran.lines[4].names)["stack"] == "[')']"
    assert dict(ran.lines[-1].names)["answer"] == "')'"


def test_a_debugger_gets_its_trace_function_back() -> None:
    def watch(*_: object) -> None:
        return None

    before = sys.gettrace()
    sys.settrace(watch)
    try:
        rules.run("brackets", "(")
        assert sys.gettrace() is watch
    finally:
        sys.settrace(before)


def test_a_text_that_is_too_long_to_be_shown_is_refused_with_a_sentence() -> None:
    with pytest.raises(Said, match=r"501 characters .* shorten it\.$"):
        rules.run("brackets", "(" * 501)
    assert len(rules.run("brackets", "(" * 500).lines) <= rules.MOST_LINES


def accuracy(case: str, count: int = 2000) -> float:
    drawn = islice(dates.examples(3, case), count)
    return sum(rules.run("dates", date.text).answer == date.answer for date in drawn) / count


def test_the_rule_is_right_in_and_out_of_range_and_brittle_to_typing_errors() -> None:
    assert accuracy("clean") == accuracy("out-of-range") == 1.0
    # A quarter is read: where the error stands in a weekday or in "th", which say nothing new.
    assert 0.2 < accuracy("typo") < 0.33
    assert accuracy("exceptions") == 0.0


@pytest.mark.parametrize("case", ["", *dates.CASES])
def test_dates_fit_what_a_network_reads_and_writes(case: str) -> None:
    drawn = list(islice(dates.examples(5, case), 3000))
    assert drawn == list(islice(dates.examples(5, case), 3000))
    assert drawn != list(islice(dates.examples(6, case), 3000))
    for date in drawn:
        assert set(date.text) <= set(dates.CHARACTERS[1:])
        assert len(date.text) <= dates.MOST_READ
        assert set(date.answer) <= set(dates.CHARACTERS[1:])
        assert len(date.answer) == dates.WRITTEN


def test_training_data_has_named_days_in_one_of_twenty() -> None:
    drawn = list(islice(dates.examples(0), 20_000))
    named = sum(date.text.startswith(tuple(dates.NAMED)) for date in drawn) / len(drawn)
    assert abs(named - dates.NAMED_SHARE) < 4 * (0.05 * 0.95 / len(drawn)) ** 0.5
    years = {int(date.answer[:4]) for date in drawn}
    assert years == set(dates.TRAINED)


def test_a_network_is_trained_on_blanks_in_place_of_letters_and_on_no_typing_error() -> None:
    shown = defaultdict(set)
    for date in islice(dates.examples(0), dates.EXAMPLES):
        shown[date.answer].add(date.text)
    rng = np.random.default_rng(0)
    letters = blanks = 0
    for _ in range(50):
        batch = dates.DATES.draw(rng, 64)
        for read, answer in zip(_characters(batch.ids), _characters(batch.answers), strict=True):
            written = re.compile(re.escape(read).replace("_", "[a-z]"))
            assert any(written.fullmatch(text) for text in shown[answer]), read
            letters += sum(character in dates.LETTERS for character in read)
            blanks += read.count("_")
    assert blanks / (letters + blanks) == pytest.approx(dates.BLANKED, rel=0.15)


def _characters(ids: Array) -> list[str]:
    return ["".join(dates.CHARACTERS[i] for i in row) for row in ids]


@pytest.mark.parametrize("task", rules.RULES)
def test_the_lines_of_a_program_are_short_enough_to_be_projected(task: str) -> None:
    assert all(len(line.strip()) <= 56 for line in rules.RULES[task].source)
