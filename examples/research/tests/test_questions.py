from __future__ import annotations

import pytest
from inquiry.questions import MOST_QUESTIONS, split


def texts(asked: str) -> list[str]:
    return [question.text for question in split(asked)[0]]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("How long is the notice period?", ["How long is the notice period?"]),
        ("Who pays? When?  And how much?", ["Who pays?", "When?", "And how much?"]),
        ("How many open orders and what is the rent?", ["How many open orders", "what is the rent?"]),
        ("the code of house 096 and house 097?", ["the code of house 096?", "the code of house 097?"]),
        ("rent of Ana, Ben and Cleo", ["rent of Ana", "rent of Ben", "rent of Cleo"]),
        ("the rent of Ana and of Ben", ["the rent of Ana", "the rent of Ben"]),
        ("the rent, the deposit and the address", ["the rent", "the deposit", "the address"]),
        ("- notice period\n- rent\n2) deposit", ["notice period", "rent", "deposit"]),
        ("the total amount in 2023 and 2024", ["the total amount in 2023", "the total amount in 2024"]),
        ("Is it Ana or is it Ben? Is it Ana", ["Is it Ana", "is it Ben?"]),
    ],
)
def test_what_is_several_questions_is_taken_apart(asked: str, expected: list[str]) -> None:
    assert texts(asked) == expected


@pytest.mark.parametrize(
    "asked",
    [
        "What are the terms and conditions of the lease?",
        "total and average amount by city and month",
        "How many orders per customer and city",
        "amount between 5 and 90",
        'Where is "rent of Ana and Ben" written',
        'Find "cats and how dogs" again',
        "the law of supply and demand",
    ],
)
def test_what_belongs_together_stays_together(asked: str) -> None:
    assert texts(asked) == [asked]


def test_it_stands_for_what_the_question_before_was_about() -> None:
    first, second = split("What is the deposit of house 12 and when was it paid?")[0]
    assert first.search == first.text
    assert second.search == "when was it paid? deposit house 12"


@pytest.mark.parametrize("asked", ["", "   ", "?!", "... ;; ?"])
def test_without_a_word_there_is_no_question(asked: str) -> None:
    assert split(asked) == ([], 0)


def test_questions_beyond_the_most_are_counted_and_long_ones_cut() -> None:
    questions, left_out = split("".join(f"What is thing {number}? " for number in range(MOST_QUESTIONS + 3)))
    assert (len(questions), left_out) == (MOST_QUESTIONS, 3)
    (long,) = texts("word " * 500)
    assert len(long) <= 302 and long.endswith("word …")
