"""The import contract is only as good as what it catches: wrong imports are planted and each has to be seen.

The real contract from pyproject.toml is run against a tree of empty modules in the designed layout, so what is
tested is the contract and not the imports which the code happens to have today.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import importlinter.api
import pytest
from importlinter.application import use_cases
from importlinter.contracts.acyclic_siblings import AcyclicSiblingsContract
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.contracts.independence import IndependenceContract
from importlinter.contracts.layers import LayersContract
from importlinter.contracts.protected import ProtectedContract
from importlinter.domain.contract import registry

ROOT = Path(__file__).parents[2]
PYPROJECT = ROOT / "pyproject.toml"

for kind in (AcyclicSiblingsContract, ForbiddenContract, IndependenceContract, LayersContract, ProtectedContract):
    registry.register(kind, kind.type_name)

LAYOUT = {
    "": "__init__ __main__ _version alarms errors files settings",
    "protocol": "__init__ messages codec states session tasks",
    "protocol/inside": "__init__ messages codec",
    "transport": "__init__ frames addresses websocket",
    "auth": "__init__ tokens keys scopes",
    "observe": "__init__ events logs",
    "bus": "__init__ local nats",
    "sdk": "__init__ agent context link environment client",
    "router": "__init__ ports hub agent commands door",
    "backend": "__init__ inside ports accounts rights audited asked_from",
    "backend/domain": "__init__ task",
    "backend/usecases": "__init__ application tasks agents machine",
    "backend/engine": "__init__ dispatch",
    "backend/store": "__init__ tasks writer",
    "backend/archive": "__init__ folder",
    "backend/checker": "__init__ process",
    "http": "__init__ errors",
    "api": "__init__ tasks",
    "platform": "__init__",
    "platform/pages": "__init__ agents",
    "interop": "__init__",
    "interop/a2a": "__init__",
    "interop/mcp": "__init__",
    "testing": "__init__ link network",
    "integrations": "__init__",
    "compose": "__init__ sources",
    "cli": "__init__ up tasks",
}

ALLOWED = {
    "__init__": "from agentic_atlas.sdk import agent",
    "__main__": "from agentic_atlas.cli import up",
    "cli/up": "import agentic_atlas.compose\nimport agentic_atlas.settings\nimport agentic_atlas.sdk.client",
    "compose/__init__": "import agentic_atlas.settings\nimport agentic_atlas.backend.store\n"
    "import agentic_atlas.api\nimport agentic_atlas.router.hub\nimport agentic_atlas.bus.local",
    "testing/__init__": "import agentic_atlas.backend.inside\nimport agentic_atlas.sdk.link",
    "testing/network": "import agentic_atlas.backend.store\nimport agentic_atlas.backend.usecases.tasks\n"
    "import agentic_atlas.router.hub",
    "sdk/link": "import asyncio\nimport agentic_atlas.transport.websocket\nimport agentic_atlas.protocol.session",
    "router/door": "import agentic_atlas.transport.websocket\nimport agentic_atlas.router.hub",
    "transport/websocket": "import picows\nimport agentic_atlas.transport.frames",
    "api/tasks": "import httptools\nimport agentic_atlas.http.errors\nimport agentic_atlas.backend.usecases.tasks",
    "http/errors": "import httptools\nimport agentic_atlas.backend.usecases.tasks",
    "backend/inside": "import agentic_atlas.backend.usecases.tasks\nimport agentic_atlas.protocol.inside.messages",
    "backend/usecases/tasks": "import agentic_atlas.backend.ports\nimport agentic_atlas.backend.engine.dispatch",
    "backend/engine/dispatch": "import agentic_atlas.backend.ports\nimport agentic_atlas.bus.local",
    "backend/store/tasks": "import sqlalchemy\nimport agentic_atlas.backend.ports",
    "backend/ports": "import agentic_atlas.backend.rights\nimport agentic_atlas.backend.domain.task",
    "backend/accounts": "import agentic_atlas.backend.domain.task",
    "backend/rights": "import agentic_atlas.auth.scopes\nimport agentic_atlas.backend.domain.task",
    "transport/frames": "import agentic_atlas.protocol.codec",
    "observe/logs": "import structlog\nimport agentic_atlas.observe.events\nimport agentic_atlas.errors",
    "auth/tokens": "import jwt\nimport agentic_atlas.errors",
    "protocol/codec": "import msgspec\nimport agentic_atlas._version\nimport agentic_atlas.errors",
}


@dataclass(frozen=True)
class Violation:
    """A wrong line in a module, and the ids of the contracts that have to break: those and no other."""

    module: str
    line: str
    breaks: frozenset[str]

    def __str__(self) -> str:
        return f"{self.module}: {self.line.strip() or 'is new'}"


def planted(module: str, line: str, *breaks: str) -> Violation:
    return Violation(module, line, frozenset(breaks))


VIOLATIONS = [
    # A module nobody gave a place.
    planted("utils", "", "layers"),
    planted("helpers/__init__", "", "layers"),
    planted("backend/helpers", "", "backend-layers"),
    planted("backend/models/__init__", "", "backend-layers"),
    # Upwards, and sideways.
    planted("errors", "import agentic_atlas.protocol.codec", "layers", "no-cycles"),
    planted("protocol/session", "from agentic_atlas import __version__", "layers"),
    planted("protocol/codec", "import agentic_atlas.auth.tokens", "layers", "sdk-light"),
    planted("auth/tokens", "import agentic_atlas.bus.local", "layers"),
    planted("protocol/session", "import agentic_atlas.transport.frames", "layers", "no-cycles", "transport-sealed"),
    planted("transport/frames", "import agentic_atlas.router.hub", "layers", "no-cycles"),
    planted("transport/frames", "import agentic_atlas.sdk.link", "layers", "no-cycles"),
    planted("bus/local", "import agentic_atlas.router.hub", "layers"),
    planted("observe/events", "import agentic_atlas.protocol.codec", "layers"),
    planted("observe/events", "import agentic_atlas.transport.frames", "layers", "transport-sealed"),
    planted("observe/logs", "import agentic_atlas.backend.ports", "layers"),
    planted("protocol/codec", "import agentic_atlas.observe.events", "layers"),
    planted("errors", "import agentic_atlas.observe.events", "layers", "no-cycles"),
    planted("router/hub", "import agentic_atlas.backend.ports", "layers"),
    planted("router/hub", "import agentic_atlas.sdk.link", "layers"),
    planted("router/door", "from agentic_atlas.cli import up", "layers", "no-cycles"),
    planted("backend/ports", "from agentic_atlas.router import delivery", "layers"),
    planted("backend/usecases/tasks", "import agentic_atlas.sdk.client", "layers"),
    planted("sdk/agent", "import agentic_atlas.testing", "layers", "no-cycles", "sdk-light"),
    planted("sdk/client", "import agentic_atlas.backend.domain.task", "layers"),
    planted("platform/pages/agents", "import agentic_atlas.interop.mcp", "layers"),
    planted("testing/__init__", "import agentic_atlas.compose", "layers"),
    planted("compose/__init__", "import agentic_atlas.cli.up", "layers", "no-cycles"),
    # A line inside a function, or for the type checker alone, is an import too.
    planted("router/hub", "def f():\n    import agentic_atlas.backend.ports", "layers"),
    planted(
        "router/hub",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import agentic_atlas.backend.ports",
        "layers",
    ),
    # Purity.
    planted("protocol/session", "import time", "protocol-no-io"),
    planted("protocol/session", "import asyncio", "protocol-no-io"),
    planted("protocol/codec", "from logging import getLogger", "protocol-no-io"),
    planted("errors", "import os", "protocol-no-io"),
    planted("errors", "import time", "protocol-no-io", "auth-pure"),
    planted("auth/tokens", "from time import time", "auth-pure"),
    planted("auth/keys", "import sqlalchemy", "auth-pure"),
    planted("backend/domain/task", "import sqlalchemy", "domain-pure"),
    planted("backend/ports", "import sqlite3", "domain-pure"),
    planted("backend/usecases/tasks", "from os import environ", "domain-pure"),
    planted("backend/usecases/agents", "import fastapi", "domain-pure"),
    planted("backend/engine/dispatch", "import sqlalchemy", "domain-pure"),
    planted("observe/logs", "import os", "observe-light"),
    planted("observe/events", "from time import time", "observe-light"),
    planted("observe/events", "import sqlalchemy", "observe-light"),
    # The weight of the SDK.
    planted("sdk/agent", "from agentic_atlas.auth import tokens", "sdk-light"),
    planted("sdk/agent", "import agentic_atlas.bus.local", "sdk-light"),
    planted("sdk/context", "import sqlite3", "sdk-light"),
    planted("sdk/client", "import jwt", "sdk-light"),
    planted("sdk/client", "from fastapi import FastAPI", "sdk-light"),
    # The inside of the backend.
    planted("backend/domain/task", "import agentic_atlas.backend.ports", "backend-layers", "no-cycles"),
    planted("backend/ports", "import agentic_atlas.backend.usecases.tasks", "backend-layers", "no-cycles"),
    planted("backend/usecases/tasks", "import agentic_atlas.backend.store", "store-sealed"),
    planted("backend/usecases/tasks", "import agentic_atlas.backend.inside", "backend-layers", "no-cycles"),
    planted("router/hub", "import agentic_atlas.backend.inside", "layers"),
    planted("backend/store/tasks", "import agentic_atlas.backend.usecases.tasks", "backend-layers"),
    planted("backend/archive/folder", "import agentic_atlas.backend.store.tasks", "backend-layers", "store-sealed"),
    planted("backend/engine/dispatch", "import agentic_atlas.backend.usecases.tasks", "backend-layers", "no-cycles"),
    planted("backend/rights", "import agentic_atlas.backend.ports", "backend-layers", "no-cycles"),
    planted("backend/rights", "import agentic_atlas.backend.engine.dispatch", "backend-layers", "no-cycles"),
    planted("backend/engine/dispatch", "import agentic_atlas.backend.store", "backend-layers", "store-sealed"),
    planted("backend/usecases/tasks", "import agentic_atlas.api", "layers", "api-sealed", "no-cycles"),
    planted("backend/usecases/tasks", "import agentic_atlas.http.errors", "layers", "no-cycles"),
    # Doors ask for use cases.
    planted("api/tasks", "import agentic_atlas.backend.engine.dispatch", "doors-ask"),
    planted("api/tasks", "import agentic_atlas.backend.usecases.machine", "doors-ask"),
    planted("api/tasks", "import agentic_atlas.backend.store.tasks", "doors-ask", "store-sealed"),
    planted("api/tasks", "import agentic_atlas.router.hub", "doors-ask"),
    planted("api/tasks", "import agentic_atlas.sdk.client", "doors-ask"),
    planted("http/errors", "import agentic_atlas.backend.engine.dispatch", "doors-ask"),
    planted("platform/pages/agents", "import agentic_atlas.backend.engine.dispatch", "doors-ask"),
    planted("interop/a2a/__init__", "import agentic_atlas.backend.engine.dispatch", "doors-ask"),
    planted("http/errors", "import agentic_atlas.api", "layers", "api-sealed", "no-cycles"),
    # Sealed parts.
    planted("platform/pages/agents", "import agentic_atlas.backend.store.tasks", "doors-ask", "store-sealed"),
    planted("cli/tasks", "from agentic_atlas.backend.store import writer", "store-sealed"),
    planted("platform/pages/agents", "import agentic_atlas.backend.checker.process", "doors-ask", "checker-sealed"),
    planted("platform/pages/agents", "import agentic_atlas.api.tasks", "layers", "api-sealed"),
    planted("backend/usecases/tasks", "import agentic_atlas.platform.pages", "layers", "pages-sealed"),
    planted("api/tasks", "import agentic_atlas.platform.pages.agents", "layers", "pages-sealed"),
    planted("cli/tasks", "import agentic_atlas.platform.pages.agents", "pages-sealed"),
    planted("backend/usecases/tasks", "import agentic_atlas.transport.websocket", "transport-sealed"),
    planted("testing/__init__", "import agentic_atlas.transport.websocket", "transport-sealed"),
    planted("router/door", "import picows", "one-websocket"),
    planted("sdk/link", "from picows import WSListener", "one-websocket"),
    planted("backend/usecases/tasks", "import agentic_atlas.settings", "layers", "settings-sealed"),
    planted("__main__", "import agentic_atlas.settings", "settings-sealed"),
    # Pages, bridges, cycles.
    planted("platform/pages/agents", "import agentic_atlas.router.hub", "doors-ask"),
    planted("interop/a2a/__init__", "import agentic_atlas.interop.mcp", "interop-independent"),
    planted("bus/local", "import agentic_atlas.bus.nats", "no-cycles"),
]


class Tree:
    """The designed layout as files, and the contract run against them."""

    def __init__(self, root: Path) -> None:
        self.package = root / "agentic_atlas"
        for folder, modules in LAYOUT.items():
            for name in modules.split():
                module = f"{folder}/{name}".lstrip("/")
                self.write(module, ALLOWED.get(module, ""))
        self.write("bus/nats", "import agentic_atlas.bus.local")

    def write(self, module: str, text: str) -> None:
        path = self.package / f"{module}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def plant(self, violation: Violation) -> None:
        path = self.package / f"{violation.module}.py"
        before = path.read_text() if path.exists() else ""
        self.write(violation.module, f"{before}\n{violation.line}\n")

    def broken(self) -> set[str]:
        """Return the ids of the contracts that do not hold."""
        options = use_cases.read_user_options(str(PYPROJECT))
        report = use_cases.create_report(options, cache_dir=None)
        assert not report.invalid_contract_options
        ids = {contract["name"]: contract["id"] for contract in options.contracts_options}
        checks = list(report.get_contracts_and_checks())
        assert {contract.name for contract, _ in checks} == set(ids)
        return {ids[contract.name] for contract, check in checks if not check.kept}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    # The linter finds the package by its name, so the planted one has to come before the one under development.
    monkeypatch.delitem(sys.modules, "agentic_atlas", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    return Tree(tmp_path)


def test_the_designed_layout_keeps_every_contract(tree: Tree) -> None:
    assert tree.broken() == set()


@pytest.mark.parametrize("violation", VIOLATIONS, ids=str)
def test_a_planted_violation_breaks_the_contracts_meant_for_it_and_no_other(tree: Tree, violation: Violation) -> None:
    tree.plant(violation)
    assert tree.broken() == violation.breaks


def test_every_contract_has_a_violation_planted_against_it() -> None:
    contracts = importlinter.api.read_configuration(str(PYPROJECT))["contracts_options"]
    caught = frozenset().union(*(violation.breaks for violation in VIOLATIONS))
    assert {contract["id"] for contract in contracts} == caught


def test_no_contract_grants_an_exception() -> None:
    contracts = importlinter.api.read_configuration(str(PYPROJECT))["contracts_options"]
    assert [c["id"] for c in contracts if "ignore_imports" in c or "exhaustive_ignores" in c] == []


def test_a_new_top_level_module_has_to_be_given_a_layer() -> None:
    contracts = importlinter.api.read_configuration(str(PYPROJECT))["contracts_options"]
    layers = [contract for contract in contracts if contract["type"] == "layers"]
    assert [str(contract["exhaustive"]) for contract in layers] == ["True", "True"]
