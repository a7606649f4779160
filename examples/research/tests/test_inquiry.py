"""Whole reports, with agents that answer from memory."""

from __future__ import annotations

import asyncio

import pytest
from inquiry.compose import Report, Section
from inquiry.known import Position
from inquiry.plan import Scope, Source
from research_samples import AGENTS, Network, Shop, hits, inquiry, library, network, pieces, report

from agentic_atlas.errors import TaskError

QUESTION = "What is the access code of house 096? How many open orders per city? How much memory is free?"


def test_a_report_answers_first_then_tells_how_and_what_is_missing(shop: Shop) -> None:
    made = pieces(inquiry(QUESTION, network(shop)))
    assert [piece.title for piece in made if isinstance(piece, Section)] == [
        "1. What is the access code of house 096?",
        "2. How many open orders per city?",
        "3. How much memory is free?",
        "What was looked at",
        "What could not be done, and why",
        "Sources",
    ]
    whole = made[-1]
    assert isinstance(whole, Report)
    assert all(piece.markdown in whole.report for piece in made if isinstance(piece, Section))
    assert "> The **access** **code** of **house** **096** is code-1.\n>\n> — part1/096.txt, line 4 [1]" in whole.report
    assert "| Hamburg | 1 |\n| Malmö | 1 |" in whole.report
    assert "where `status` is open [2]" in whole.report
    assert "- Memory: **2 GB free** of 8 GB (75 % in use)" in whole.report
    assert "  - broken.pdf: is not a PDF file, or damaged" in whole.report
    assert "  - odd.csv: is not text" in whole.report


def test_citations_say_file_and_position_and_the_sql_that_was_asked(shop: Shop) -> None:
    made = report(QUESTION, network(shop))
    first, second = made.citations
    assert (first.number, first.agent, first.file, first.position) == (
        1, "document_search", "part1/096.txt", Position("line", 4),
    )  # fmt: skip
    assert (second.number, second.file, second.table) == (2, "orders.csv", "orders")
    assert shop.rows(second.sql) == [["Hamburg", 1], ["Malmö", 1]]
    assert f"`{second.sql}`" in made.report


def test_the_same_passage_has_one_number(shop: Shop) -> None:
    made = report("code of house 096? code of the house 096 again?", network(shop))
    assert len(made.citations) == 1
    assert made.report.count("[1]") == 2


def test_agents_that_are_offline_are_a_line_each(shop: Shop) -> None:
    made = report(QUESTION, Network({}))
    for name in ("document_search", "table_query", "system_report"):
        assert f"- `{name}`: {name} is offline: start it" in made.report
    assert "No answer: see below" in made.report and "Nobody could be asked" in made.report
    assert made.citations == []


def test_a_skill_that_fails_costs_its_answer_alone(shop: Shop) -> None:
    calls = network(shop)

    def broken(**_: object) -> object:
        raise TaskError("table_query.query: the query was stopped", code="too_slow", state="rejected")

    calls.answers["table_query", "query"] = broken
    made = report(QUESTION, calls)
    assert "- `table_query.query`: rejected: the query was stopped" in made.report
    assert "part1/096.txt, line 4" in made.report and "Memory" in made.report


def test_an_agent_that_is_left_out_is_not_called(shop: Shop) -> None:
    calls = network(shop)
    agents = {**AGENTS, Source.DOCUMENTS: ""}
    pieces(inquiry(QUESTION, calls, Scope(tables=False), agents))
    assert {agent for agent, _ in calls.calls} == {"system_report"}


def test_it_says_when_the_passages_hold_little_of_the_question(shop: Shop) -> None:
    made = report("Which green wallpaper did the access committee choose for house 096?", network(shop))
    assert "only loosely related: they do not hold “green”, “wallpaper”, “committee”, “choose”." in made.report


def test_beside_an_exact_answer_only_passages_that_hold_the_whole_question_are_shown(shop: Shop) -> None:
    calls = network(shop)
    assert "their passages were left out" in report("How many orders per city?", calls).report
    calls.answers["document_search", "search"] = lambda query, limit: {
        "hits": [
            {"file": "plan.md", "position": {"unit": "line", "number": 2}, "snippet": "**Orders** of each **city**"},
            {"file": "other.md", "position": {"unit": "line", "number": 2}, "snippet": "The **city** is large"},
        ]
    }
    made = report("How many orders per city?", calls).report
    assert "| Hamburg | 2 |" in made and "plan.md, line 2" in made and "other.md" not in made


def test_files_that_are_still_being_read_are_told(shop: Shop) -> None:
    calls = network(shop)
    calls.answers["document_search", "search"] = lambda query, limit: hits(query, limit) | {"complete": False}
    assert "`document_search` was still reading files" in report("code of house 096", calls).report


def test_text_of_others_stays_text(shop: Shop) -> None:
    calls = network(shop)
    hit = {
        "file": "<script>.txt",
        "position": {"unit": "line", "number": 1},
        "snippet": "# not a title\n<img src=x> [click](http://x) `code` | **found** *a* \x1b[31m",
        "title": "| x |",
        "score": 1.0,
    }
    calls.answers["document_search", "search"] = lambda query, limit: {"hits": [hit], "complete": True}
    made = report("what is found", calls).report
    assert "> # not a title \\<img src=x\\> \\[click\\](http://x) \\`code\\` \\| **found** \\*a\\* \\[31m" in made
    assert "— \\<script\\>.txt, line 1, “\\| x \\|” [1]" in made


def test_a_report_is_never_longer_than_an_event_may_be(shop: Shop) -> None:
    calls = network(shop)
    lines = [{"file": f"{number}-{'x' * 900}", "reason": "y" * 900} for number in range(200)]
    many = {"totals": {"files": 1, "skipped": 5_000}, "skipped": lines, "incomplete": lines}
    calls.answers["document_search", "status"] = lambda: many
    calls.answers["document_search", "search"] = lambda query, limit: {
        "hits": [
            {
                "file": f"{query[:9]}{number}{'f' * 2_000}",
                "position": {"unit": "line", "number": 1},
                "snippet": "界 " * 5_000 + "**x** " * 5_000,
                "heading": "h" * 10_000,
                "score": 1.0,
            }
            for number in range(5)
        ]
    }
    made = report("".join(f"What is thing {number}? " for number in range(30)), calls)
    assert len(made.report.encode()) < 200_000
    assert sum(len(str(citation).encode()) for citation in made.citations) < 60_000
    assert "  - … and 4950 more" in made.report and "22 further questions were left out" in made.report


@pytest.mark.parametrize("question", ["?", "…", "   "])
def test_a_question_without_a_word_gives_a_report_that_says_so(shop: Shop, question: str) -> None:
    made = report(question, network(shop))
    assert "nothing in the question is about it" in made.report and made.citations == []


def test_a_plan_asks_only_for_what_there_is(shop: Shop) -> None:
    calls = network(shop)
    told = asyncio.run(inquiry(QUESTION, calls).plan())
    assert sorted(calls.calls) == [("document_search", "status"), ("table_query", "tables")]
    assert told.questions[1] == "How many open orders per city?"
    assert [ask.skill for ask in told.asks if ask.agent == "table_query"] == ["query", "query"]
    assert told.asks[0].input == {"query": told.questions[0], "limit": 5}
    assert any("broken.pdf" in remark for remark in told.remarks)


def test_library_and_scope_are_independent(shop: Shop) -> None:
    calls = network(shop)
    calls.answers["document_search", "status"] = lambda: library(totals={"files": 0, "skipped": 0}, skipped=[])
    report("code of house 096", calls, Scope())
    assert ("document_search", "search") not in calls.calls
