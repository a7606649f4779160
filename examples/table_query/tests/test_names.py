"""Names are taken by DuckDB without quotes, stay the same, and no two are alike."""

from __future__ import annotations

import duckdb
import pytest
from tables.names import name_files, name_sheets, safe


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Sales 2024", "sales_2024"),
        ("2024/sales", "t_2024_sales"),
        ("order", "t_order"),
        ("Umsätze (März)", "umsätze_märz"),
        ("売上", "売上"),
        ('a"; DROP TABLE x; --', "a_drop_table_x"),
        ("__a__b__", "a_b"),
        ("…", "t"),
        ("x" * 100, "x" * 60),
    ],
)
def test_a_text_becomes_a_plain_name(text: str, name: str) -> None:
    assert safe(text) == name


def test_no_word_of_duckdb_is_a_name_that_needs_quotes() -> None:
    with duckdb.connect(config={"python_enable_replacements": False}) as connection:
        words = connection.execute("SELECT DISTINCT keyword_name FROM duckdb_keywords()").fetchall()
        assert len(words) > 300
        for word in [*(word for (word,) in words), "ß", "x²", "売上"]:
            name = safe(word)
            query = f"SELECT {name}.one, b.* FROM {name} JOIN {name} b USING (one)"  # noqa: S608
            assert len(connection.extract_statements(query)) == 1


def test_files_of_one_name_get_their_ending_then_a_number() -> None:
    assert name_files(["a/b.csv", "a b.csv", "a.csv", "a.xlsx", "a.csv.gz", "A.CSV"]) == {
        "A.CSV": "a",
        "a b.csv": "a_b",
        "a.csv": "a_csv",
        "a.csv.gz": "a_csv_gz",
        "a.xlsx": "a_xlsx",
        "a/b.csv": "a_b_csv",
    }
    assert list(name_files(["a.csv", "a;.csv", "a?.csv"]).values()) == ["a", "a_csv", "a_csv_2"]


def test_a_single_sheet_is_called_as_its_file_and_several_are_told_apart() -> None:
    assert name_sheets("budget", []) == []
    assert name_sheets("budget", ["Sheet1"]) == ["budget"]
    assert name_sheets("budget", ["March", "MARCH!", "order"]) == [
        "budget__march",
        "budget__march_2",
        "budget__t_order",
    ]
