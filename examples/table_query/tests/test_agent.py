"""The agent on a real network, asked as its users ask it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from table_samples import write_workbook

from agentic_atlas import Client
from agentic_atlas.errors import InvalidInput, TaskError
from tests.e2e.processes import Platform, Process, connected, python

TOKEN = "e30.e30.e30"  # noqa: S105 - has the parts of a token, and nobody asks whether it is one
HERE = Path(__file__).resolve().parent.parent


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    running = Platform(tmp_path / "network")
    running.start()
    yield running
    running.kill()


def started(platform: Platform, folder: Path, **settings: str) -> Process:
    environ = {"TABLES_FOLDER": str(folder), "TABLES_CACHE": str(platform.folder / "cache"), **settings}
    token = {"AGENT_JWT_TOKEN": platform.token("table_query")}
    return Process(*python("agent.py"), folder=HERE, environ=platform.environ | token | environ)


def test_tables_are_listed_described_and_asked(platform: Platform, folder: Path) -> None:
    (folder / "sales.csv").write_text("id,amount,day\n1,2.5,2024-01-31\n2,4.0,2024-02-01\n")
    (folder / "broken.csv").write_text("a,b\n1,2,3\n")
    write_workbook(folder / "Cities.xlsx", {"A": [("id", "city"), (1, "Bern"), (2, "Genf")]})
    agent = started(platform, folder, TABLES_QUERY_SECONDS="1", TABLES_QUERY_MEMORY_MB="64")
    try:
        agent.wait_for(connected)
        with Client(platform.url, api_key=platform.api_key) as client:
            listing = client.call("table_query", "tables")
            assert [(table["name"], table["rows"]) for table in listing["tables"]] == [("cities", 2), ("sales", 2)]
            assert listing["skipped"] == [{"file": "broken.csv", "reason": "line 2 has 3 values where 2 are expected"}]
            described = client.call("table_query", "describe", table="sales")
            assert [column["maximum"] for column in described["columns"]] == [2, 4.0, "2024-02-01"]
            sql = "SELECT city, amount, day FROM sales JOIN cities USING (id) ORDER BY id"
            answer = client.call("table_query", "query", sql=sql, limit=1)
            assert (answer["rows"], answer["truncated"]) == ([["Bern", 2.5, "2024-01-31"]], True)
            for sql, code in (
                ("SELECT * FROM read_text('/etc/hostname')", "bad_sql"),
                ("SELECT count(*) FROM range(999999) a, range(999999) b WHERE a.range * b.range = -1", "too_slow"),
            ):
                with pytest.raises(TaskError) as caught:
                    client.call("table_query", "query", sql=sql)
                assert (caught.value.state, caught.value.code) == ("rejected", code)
            with pytest.raises(TaskError, match="there is no table towns; the tables are cities, sales"):
                client.call("table_query", "describe", table="towns")
            with pytest.raises(InvalidInput):
                client.call("table_query", "query", sql="SELECT 1", limit=1_001)
        assert "read_text" not in agent.output
        assert agent.stop() == 0
    finally:
        agent.kill()


def test_a_wrong_setting_is_one_sentence_and_exit_code_2(tmp_path: Path, folder: Path) -> None:
    for settings, sentence in (
        ({"TABLES_FOLDER": str(tmp_path / "missing")}, "make it, or set TABLES_FOLDER to a folder of yours"),
        ({"TABLES_FOLDER": str(folder), "TABLES_QUERY_SECONDS": "soon"}, "TABLES_QUERY_SECONDS is 'soon'"),
    ):
        environ = {"AGENT_JWT_TOKEN": TOKEN, "PATH": "", **settings}
        agent = Process(*python("agent.py"), folder=HERE, environ=environ)
        try:
            assert agent.wait() == 2
        finally:
            agent.kill()
        assert sentence in agent.output
        assert agent.output.count("\n") == 1
