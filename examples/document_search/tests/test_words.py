"""What a person types becomes words, and never syntax."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from library.errors import EmptyQuery
from library.words import MOST_TERMS, Stemmer, for_index, terms_of, without_gaps


@pytest.fixture(scope="module")
def stemmer() -> Iterator[Stemmer]:
    made = Stemmer()
    yield made
    made.close()


def words(query: str, stemmer: Stemmer) -> list[str]:
    return [term.text for term in terms_of(query, stemmer)]


@pytest.mark.parametrize("query", ["", "   ", "?!…", '""', "* - ^", "\x00\x02", "\ud800", "🙂"])
def test_a_query_without_a_word_is_refused(query: str, stemmer: Stemmer) -> None:
    with pytest.raises(EmptyQuery, match="at least one letter or digit"):
        terms_of(query, stemmer)


def test_words_are_taken_out_of_a_sentence_once_each(stemmer: Stemmer) -> None:
    assert words("When is rent due, and how is the Rent paid?", stemmer) == [
        *("When", "is", "rent", "due", "and", "how", "the", "paid"),
    ]


def test_what_belongs_together_stays_together(stemmer: Stemmer) -> None:
    found = {term.text: term.stems for term in terms_of("well-known user@example.org v1.2.3 O’Neil", stemmer)}
    assert found == {
        "well-known": ("well", "known"),
        "user@example.org": ("user", "exampl", "org"),
        "v1.2.3": ("v1", "2", "3"),
        "O'Neil": ("o", "neil"),
    }


def test_quotes_of_any_kind_make_a_phrase_that_must_be_found(stemmer: Stemmer) -> None:
    found = terms_of('“notice period” «three months» "broken', stemmer)
    assert [(term.text, term.required) for term in found] == [
        ("notice period", True),
        ("three months", True),
        ("broken", False),
    ]


def test_a_control_character_ends_a_word_and_nothing_else(stemmer: Stemmer) -> None:
    assert words('one\x00two "three\x00four"', stemmer) == ["one", "two", "three four"]


def test_a_star_makes_the_beginning_of_a_word(stemmer: Stemmer) -> None:
    (term,) = terms_of("invoi*", stemmer)
    assert term.prefix and term.match == '"invoi*" *'
    assert term.within(stemmer.stems("invoices")) and not term.within(stemmer.stems("voice"))


def test_case_accents_and_english_endings_do_not_matter(stemmer: Stemmer) -> None:
    (term,) = terms_of("CAFÉS", stemmer)
    assert term.within(stemmer.stems("cafe"))


def test_unspaced_scripts_are_searched_in_pairs(stemmer: Stemmer) -> None:
    assert words("東京都の天気 report", stemmer) == ["東京", "京都", "都の", "の天", "天気", "report"]
    assert without_gaps(for_index("東京 Tokyo")) == "東京 Tokyo"


def test_a_query_as_long_as_a_text_is_cut(stemmer: Stemmer) -> None:
    assert len(words(" ".join(f"word{number}" for number in range(500)), stemmer)) == MOST_TERMS
