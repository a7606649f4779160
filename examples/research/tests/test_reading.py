"""Questions and the rows that real tables answer them with."""

from __future__ import annotations

from datetime import date

import pytest
from inquiry.known import Column, Kind, Table
from inquiry.query import Query
from inquiry.reading import read
from inquiry.wish import NoRow
from inquiry.words import words_of
from research_samples import Shop


@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ("How many orders are there?", [[4]]),
        ("How many customers?", [[3]]),
        ("How many orders per customer?", [["Ana Miller", 2], ["Ben King", 1], ["Cleo Ray", 1]]),
        ("total and average amount by city", [["New York", 250.5, 250.5], ["Hamburg", 180.25, 90.125],
                                              ["Malmö", 10, 10]]),
        ("Which customer has the highest total amount?", [["Ben King", 250.5], ["Ana Miller", 180.25],
                                                          ["Cleo Ray", 10]]),
        ("Which city has the most orders?", [["Hamburg", 2], ["New York", 1], ["Malmö", 1]]),
        ("orders per month", [[date(2023, 2, 1), 1], [date(2024, 1, 1), 1], [date(2024, 2, 1), 2]]),
        ("units per month for laptops", [[date(2023, 2, 1), 2], [date(2024, 1, 1), 3]]),
        ("How many open orders are there per city?", [["Hamburg", 1], ["Malmö", 1]]),
        ("How many laptops were sold per city?", [["Hamburg", 2]]),
        ("How much did Miller pay in 2024?", [[100.0]]),
        ("total amount in New York", [[250.5]]),
        ("total amount in malmo", [[10.0]]),
        ("How many different products?", [[3]]),
        ("How many units were sold in February 2024?", [[10]]),
        ("How many orders since 2024?", [[3]]),
        ("How many orders between 2023 and 2023?", [[1]]),
        ("How many orders were placed on 2024-02-05?", [[1]]),
        ("median amount", [[90.125]]),
        ("monthly revenue", [[date(2023, 2, 1), 80.25], [date(2024, 1, 1), 100.0], [date(2024, 2, 1), 260.5]]),
        ("average units per product and status", [["desk", "open", 9], ["laptop", "open", 3], ["laptop", "paid", 2],
                                                  ["phone", "paid", 1]]),
        ("cheapest product", [["desk", 10.0], ["laptop", 80.25], ["phone", 250.5]]),
        ("lowest amount per status", [["open", 10.0], ["paid", 80.25]]),
    ],
)  # fmt: skip
def test_a_question_about_numbers_is_answered(shop: Shop, question: str, rows: list[list[object]]) -> None:
    answer = shop.ask(question)
    assert isinstance(answer, list)
    assert sorted(answer, key=str) == sorted(rows, key=str)
    if "per" not in question:
        assert answer[0] == rows[0]


@pytest.mark.parametrize(
    ("question", "ids"),
    [
        ("What is the highest amount?", [2, 1, 3, 4]),
        ("What was the most expensive order?", [2, 1, 3, 4]),
        ("latest order", [4, 2, 1, 3]),
        ("the 2 lowest amounts", [4, 3, 1]),
    ],
)
def test_the_greatest_comes_first(shop: Shop, question: str, ids: list[int]) -> None:
    answer = shop.ask(question)
    assert isinstance(answer, list)
    assert [row[0] for row in answer] == ids


@pytest.mark.parametrize(
    ("question", "ids"),
    [
        ("Which orders are open?", {1, 4}),
        ("orders with amount over 90", {1, 2}),
        ("orders with an amount of at least 80.25", {1, 2, 3}),
        ("amount between 50 and 150", {1, 3}),
        ("order 3", {3}),
        ("orders of Ben King", {2}),
        ('orders "New York"', {2}),
        ("list the orders", {1, 2, 3, 4}),
        ("What is the price of the desk?", {4}),
    ],
)
def test_a_question_about_rows_gives_them(shop: Shop, question: str, ids: set[int]) -> None:
    answer = shop.ask(question)
    assert isinstance(answer, list)
    assert {row[0] for row in answer} == ids


def test_a_value_leads_to_what_stands_beside_it(shop: Shop) -> None:
    assert shop.ask("What is the phone number of Ana Miller?") == [["Ana Miller", "Hamburg", "+49 1"]]
    assert shop.ask("first name of Miller") == [["Ana Miller", "Hamburg", "+49 1"]]


@pytest.mark.parametrize(
    ("question", "missing"),
    [
        ("How many orders from Berlin?", ("Berlin",)),
        ("How many elephants are in the orders?", ("elephants",)),
        ("orders of Zoe", ("Zoe",)),
        ("order 99", ("99",)),
    ],
)
def test_a_value_that_is_in_no_row_is_told_and_never_left_out(
    shop: Shop, question: str, missing: tuple[str, ...]
) -> None:
    assert shop.ask(question) == NoRow("orders", "orders.csv", missing)


@pytest.mark.parametrize(
    "question", ["What is the notice period?", "How many laptops?", "total cost of the war", "Who is the caretaker?"]
)
def test_a_question_about_something_else_asks_nothing(shop: Shop, question: str) -> None:
    assert shop.ask(question) is None


def test_what_was_assumed_and_what_was_not_used_is_told(shop: Shop) -> None:
    query = shop.read("monthly revenue of things placed quickly in orders")
    assert isinstance(query, Query)
    assert query.notes == ("`amount` was taken for “revenue”", "not used: things, placed, quickly")
    query = shop.read("How many orders were placed in February 2024 in Hamburg or so?")
    assert isinstance(query, Query)
    told = "number of rows of `orders`, where `order_date` in month 2 and `order_date` in 2024 and `city` is Hamburg"
    assert query.told == told


def test_the_only_number_of_a_table_is_measured_and_told() -> None:
    wish = read(words_of("average per town"), table(town="VARCHAR", id="BIGINT", height="DOUBLE"))
    assert wish is not None
    assert wish.query.told == "average `height` for each `town`"
    assert wish.query.notes == ("`height` was taken, the only number in `hills`",)
    assert read(words_of("average per town"), table(town="VARCHAR", height="DOUBLE", depth="DOUBLE")) is None


def table(**columns: str) -> Table:
    return Table("hills", "hills.csv", 3, [Column(name, kind) for name, kind in columns.items()])


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        ("BIGINT", Kind.NUMBER), ("UINTEGER", Kind.NUMBER), ("DECIMAL(10,2)", Kind.NUMBER), ("VARCHAR", Kind.TEXT),
        ("ENUM('a')", Kind.TEXT), ("UUID", Kind.TEXT), ("DATE", Kind.TIME), ("TIMESTAMP WITH TIME ZONE", Kind.TIME),
        ("BOOLEAN", Kind.OTHER), ("INTEGER[]", Kind.OTHER), ("STRUCT(a INTEGER)", Kind.OTHER), ("BLOB", Kind.OTHER),
        ("UNION(a INTEGER)", Kind.OTHER), ("MAP(VARCHAR, INTEGER)", Kind.OTHER), ("TIME", Kind.OTHER),
    ],
)  # fmt: skip
def test_types_of_columns_say_what_can_be_done_with_them(type_: str, kind: Kind) -> None:
    assert Column("x", type_).kind is kind


def test_columns_with_odd_names_do_no_harm() -> None:
    odd = table(**{"%": "DOUBLE", '"; DROP TABLE hills; --': "VARCHAR", "unitPrice": "DOUBLE", "İ": "DATE"})
    wish = read(words_of("highest unit price"), odd)
    assert wish is not None and wish.query.told.endswith("the greatest `unitPrice` first")
    assert read(words_of("?"), odd) is None
