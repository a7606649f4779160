from __future__ import annotations

from importlib import metadata

import pytest

from tests.integration.cli.commands import atlas, complained


def test_without_what_its_agents_import_the_demo_says_so_before_it_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    there = metadata.version

    def version(name: str) -> str:
        if name in ("duckdb", "pypdf"):
            raise metadata.PackageNotFoundError(name)
        return there(name)

    monkeypatch.setattr(metadata, "version", version)
    wanted = 'the agents of the demo need duckdb, pypdf: pip install "agentic-atlas[all]"'
    assert complained(atlas("demo", "--once"), 2) == wanted
