"""Files of any make become tables, whole or not at all."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from table_samples import read_rows, write_parquet
from tables.convert import convert
from tables.errors import Unreadable
from tables.folder import kind_of
from tables.limits import Limits
from tables.table import Column, Part


def part_of(file: Path, limits: Limits | None = None) -> Part:
    """The one table of a file."""
    made = convert(file, kind_of(file.name) or "", file.parent / "made", limits or Limits())
    assert (made.reason, made.skipped) == ("", ())
    assert len(made.parts) == 1
    return made.parts[0]


def csv(folder: Path, content: str | bytes, name: str = "a.csv") -> Part:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return part_of(file)


def types(part: Part) -> dict[str, str]:
    return {column.name: column.type for column in part.columns}


def rows(folder: Path, part: Part) -> list[tuple[object, ...]]:
    return read_rows(folder / part.parquet)


def refused(file: Path, limits: Limits | None = None) -> str:
    with pytest.raises(Unreadable) as caught:
        part_of(file, limits)
    return caught.value.reason


def test_types_are_found_by_looking_at_every_row(folder: Path) -> None:
    lines = "".join(f"{number},{number}.5,2024-01-31,text\n" for number in range(30_000))
    part = csv(folder, f"a,b,c,d\n{lines}n/a,1,2024-02-01,x\n")
    assert types(part) == {"a": "VARCHAR", "b": "DOUBLE", "c": "DATE", "d": "VARCHAR"}
    assert part.rows == 30_001
    assert rows(folder, part)[-1][0] == "n/a"


def test_numbers_that_begin_with_zero_stay_text(folder: Path) -> None:
    part = csv(folder, "zip,n\n01234,1\n00001,2\n")
    assert rows(folder, part) == [("01234", 1), ("00001", 2)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_found(folder: Path, delimiter: str) -> None:
    content = delimiter.join(("name", "n")) + "\n" + delimiter.join(('"a\nb"', "1")) + "\n"
    part = csv(folder, content)
    assert rows(folder, part) == [("a\nb", 1)]


@pytest.mark.parametrize(
    ("encoding", "notes"),
    [("utf-8", ()), ("utf-8-sig", ()), ("utf-16", ("read as utf-16",)), ("cp1252", ("read as cp1252",))],
)
def test_text_is_read_in_the_encodings_that_are_met(folder: Path, encoding: str, notes: tuple[str, ...]) -> None:
    part = csv(folder, "Name;Preis\nMüller „Ä“;5 €\n".encode(encoding))
    assert (rows(folder, part), part.notes) == ([("Müller „Ä“", "5 €")], notes)
    assert types(part) == {"Name": "VARCHAR", "Preis": "VARCHAR"}
    assert {path.suffix for path in folder.iterdir()} == {".csv", ".parquet"}, "no copy is left"


def test_a_compressed_file_is_read_as_it_is(folder: Path) -> None:
    part = csv(folder, gzip.compress(b"a,b\n1,2\n"), "a.csv.gz")
    assert rows(folder, part) == [(1, 2)]


def test_lines_that_are_too_short_are_filled(folder: Path) -> None:
    part = csv(folder, "a,b,c\n1,2,3\n4\n\nTotal,5\n")
    assert rows(folder, part) == [("1", 2, 3), ("4", None, None), ("Total", 5, None)]
    assert part.notes == ("lines have different numbers of values: what is missing is null",)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("a,b\n1,2\n3\n4,5,6\n", "line 4 has 3 values where 2 are expected"),
        ("a;b\n" + "1;2\n" * 30_000 + '"x\ny";2;3\n', "line 30003 has 3 values where 2 are expected"),
    ],
)
def test_a_line_that_is_too_long_is_named_and_never_dropped(folder: Path, content: str, reason: str) -> None:
    (folder / "a.csv").write_text(content)
    assert refused(folder / "a.csv") == reason


def test_a_title_above_the_table_is_left_out_and_told(folder: Path) -> None:
    part = csv(folder, "Account;12\n\nFrom March\nday;text;sum;total;kind\n2024-02-01;a;1;2;k\n2024-02-02;b;1;3;k\n")
    assert list(types(part)) == ["day", "text", "sum", "total", "kind"]
    assert (part.rows, part.notes) == (2, ("3 lines above the table left out",))


def test_lines_that_begin_like_a_comment_are_rows(folder: Path) -> None:
    part = csv(folder, "tag,n\n#1,1\n#2,2\nx,3\n")
    assert rows(folder, part) == [("#1", 1), ("#2", 2), ("x", 3)]


def test_one_column_is_one_column(folder: Path) -> None:
    part = csv(folder, '"Last, first"\n"Doe, Jane"\n"Roe, Richard"\n')
    assert rows(folder, part) == [("Doe, Jane",), ("Roe, Richard",)]
    assert part.notes == ()


def test_a_header_alone_is_a_table_without_rows(folder: Path) -> None:
    part = csv(folder, "a,b\n")
    assert (types(part), part.rows) == ({"a": "VARCHAR", "b": "VARCHAR"}, 0)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", b"", "holds nothing"),
        ("a.csv", b"\xef\xbb\xbf\n \n", "holds nothing"),
        ("a.csv", b"a,b\n1,\0\n", "is not text: holds NUL characters"),
        ("a.csv", b"a,b\n\x81\x8d,\xff\n", "is no text in UTF-8, UTF-16 or Windows-1252"),
        ("a.csv.gz", gzip.compress(b"a,b\n1,2\n" * 1000, mtime=0)[:-30], "is a damaged gzip file"),
        ("a.csv.gz", b"a,b\n1,2\n", "is a damaged gzip file"),
        ("a.parquet", b"PAR1 nothing of the kind", "cannot be read: "),
        ("a.xlsx", b"PK no workbook", "is not an Excel workbook, or is locked with a password"),
    ],
)
def test_a_broken_file_is_refused_with_a_reason(folder: Path, name: str, content: bytes, reason: str) -> None:
    file = folder / name
    file.write_bytes(content)
    told = refused(file)
    assert told.startswith(reason)
    assert str(folder) not in told


def test_a_file_over_a_limit_is_refused(folder: Path) -> None:
    small = Limits(file_bytes=1_000_000)
    (folder / "a.csv").write_bytes(b"a\n" + b"1\n" * 600_000)
    assert refused(folder / "a.csv", small) == "is larger than 0 MB"
    (folder / "b.csv.gz").write_bytes(gzip.compress(b"a\n" + b"1\n" * 600_000))
    assert refused(folder / "b.csv.gz", small) == "holds more than 0 MB"


def test_too_many_columns_or_too_long_names_are_refused(folder: Path) -> None:
    (folder / "a.csv").write_text(",".join(f"c{number}" for number in range(2_001)) + "\n")
    assert refused(folder / "a.csv") == "has more than 2,000 columns"
    (folder / "b.csv").write_text("x" * 301 + ",b\n1,2\n")
    assert refused(folder / "b.csv") == "has a column with a name of more than 300 characters"


def test_a_parquet_file_is_used_where_it_is(folder: Path) -> None:
    (folder / "year=2024").mkdir()
    file = write_parquet(folder / "year=2024" / "a.parquet", "SELECT range AS n, [1, 2] AS l FROM range(3)")
    part = part_of(file)
    assert part == Part("", (Column("n", "BIGINT"), Column("l", "INTEGER[]")), 3)


def test_a_name_that_looks_like_a_pattern_means_one_file(folder: Path) -> None:
    (folder / "a1.csv").write_text("n\n1\n")
    part = csv(folder, "n\n7\n", "a[1]*?'.csv")
    assert rows(folder, part) == [(7,)]


def test_what_took_the_place_of_a_file_is_not_read(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "private.csv").write_text("secret\n1\n")
    (folder / "a.csv").symlink_to(tmp_path / "private.csv")
    assert refused(folder / "a.csv") == "is no ordinary file any more"
    assert refused(folder / "gone.csv").startswith("cannot be opened: ")
