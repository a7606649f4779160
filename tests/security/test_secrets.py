"""What is secret is nowhere but where it belongs: not in logs, columns, processes, answers or files.

Looked for in a network in which all that is secret is used once, and in the whole demo.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from agentic_atlas.backend.archive.manifest import DATABASE
from tests.security.demos import demonstrated
from tests.security.lives import ERROR, PAYLOAD, Life, document, lived, written

PAYLOADS = {
    ("tasks", "input"),
    ("tasks", "output"),
    ("tasks", "dialogue"),
    ("tasks", "error_message"),
    ("tasks", "error_detail"),
    ("events", "data"),
}
"""Columns that hold by their purpose what callers and agents say; no secret is in these either."""


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    with lived(tmp_path_factory.mktemp("life")) as one:
        yield one


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    with demonstrated(tmp_path_factory.mktemp("demo")) as one:
        yield one


@pytest.fixture(params=["network", "demo"])
def life(request: pytest.FixtureRequest) -> Life:
    one: Life = request.getfixturevalue(request.param)
    return one


def test_what_a_handler_raises_is_in_the_log_of_whoever_wrote_it_and_not_in_the_servers(network: Life) -> None:
    assert ERROR not in network.server
    assert ERROR in network.agent


def test_no_log_holds_a_secret_or_what_a_task_is_about(life: Life) -> None:
    for log in (life.server, life.agent, life.typed):
        assert life.found_in(log) == set()
        assert PAYLOAD not in log
    assert any(line["event"] == "agent_connected" for line in document(life.server))
    assert any(line["level"] == "trace" for line in document(life.agent))


def test_no_column_holds_a_secret_and_only_those_of_payloads_what_a_task_is_about(life: Life) -> None:
    with_payload, with_secret = set(), set()
    with closing(sqlite3.connect(f"file:{life.folder / 'data' / DATABASE}?mode=ro", uri=True)) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        for table in tables:
            rows = database.execute(f'SELECT * FROM "{table}"')
            names = [column[0] for column in rows.description]
            for row in rows:
                for column, value in zip(names, row, strict=True):
                    text = value if isinstance(value, bytes) else str(value).encode()
                    with_secret.update((table, column, name) for name in life.found_in(text))
                    if any(mark in text for mark in (PAYLOAD.encode(), ERROR.encode())):
                        with_payload.add((table, column))
    assert with_secret == set()
    assert with_payload
    assert with_payload <= PAYLOADS


def test_no_file_holds_a_secret_but_those_that_are_for_it(life: Life) -> None:
    found = {name: secrets for name, content in written(life) if (secrets := life.found_in(content))}
    (signing,) = [name for name, secrets in found.items() if secrets == {"signing key"}]
    assert signing.startswith("data/keys/")
    del found[signing]
    assert found == life.kept


def test_no_process_shows_a_secret_or_what_it_works_on(life: Life) -> None:
    assert len(life.shown) >= 3
    for name, shown in life.shown.items():
        assert life.found_in(shown) == set(), name
        assert PAYLOAD.encode() not in shown


def test_no_answer_holds_a_secret_but_those_that_give_it_out(life: Life) -> None:
    assert [answer for answer in life.answers if life.found_in(answer)] == []
