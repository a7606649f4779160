from __future__ import annotations

import pytest
from inquiry.known import Library, TableList, Totals
from inquiry.plan import Known, Plan, Scope, make_plan, tell
from inquiry.topics import Topic, topics_of
from inquiry.words import words_of
from research_samples import AGENTS, Shop


def known(shop: Shop, files: int = 3) -> Known:
    return Known(Library(Totals(files, 0), [], []), TableList(shop.tables, 2, [], 0))


def skills(plan: Plan) -> list[tuple[int, str, str]]:
    return [(ask.question, ask.agent, ask.skill) for ask in tell(plan, AGENTS, []).asks]


@pytest.mark.parametrize(
    ("question", "topics"),
    [
        ("How much memory is free?", {Topic.MEMORY}),
        ("What uses the most CPU?", {Topic.CPU}),
        ("disk space", {Topic.DISK}),
        ("Is the machine healthy?", {Topic.HEALTH}),
        ("Is this computer running?", {Topic.HEALTH}),
        ("how hot is the processor", {Topic.HEAT, Topic.CPU}),
        ("in memory of my dog", set()),
        ("the hiring process", set()),
        ("highest load of the bridge", set()),
        ("Who repaired the machine?", set()),
    ],
)
def test_words_about_the_machine_are_told_from_their_other_meanings(question: str, topics: set[Topic]) -> None:
    assert topics_of(words_of(question)) == topics


def test_each_question_goes_to_those_who_may_know(shop: Shop) -> None:
    plan = make_plan(
        "How many open orders per city? What is the notice period? How much RAM is free?", Scope(), known(shop)
    )
    assert skills(plan) == [
        (1, "document_search", "search"),
        (1, "table_query", "query"),
        (1, "table_query", "query"),
        (2, "document_search", "search"),
        (3, "system_report", "overview"),
    ]


def test_nobody_is_asked_against_the_wish_of_the_caller(shop: Shop) -> None:
    question = "How many orders? How much RAM is free?"
    assert skills(make_plan(question, Scope(machine="never"), Known())) == []
    only_machine = make_plan("How many orders?", Scope(machine="always"), Known())
    assert skills(only_machine) == [(1, "system_report", "health"), (1, "system_report", "overview")]
    empty = make_plan("What is the notice period?", Scope(), known(shop, files=0))
    assert skills(empty) == []


def test_the_machine_is_asked_once_for_the_same(shop: Shop) -> None:
    plan = make_plan("How much RAM is free? Which process uses the most CPU?", Scope(), known(shop))
    assert skills(plan) == [(1, "system_report", "overview"), (2, "system_report", "processes")]


def test_two_tables_that_know_equally_much_are_both_asked(shop: Shop) -> None:
    plan = make_plan("How many in each city?", Scope(documents=False), Known(tables=known(shop).tables))
    assert [wish.query.table.name for part in plan.parts for wish in part.wishes] == ["orders", "customers"]
