"""Puts up what the demo shows: a platform and the example agents, each a process of its own, in a temporary folder."""

from __future__ import annotations

import csv
import json
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agentic_atlas.cli import output
from agentic_atlas.cli.demo.children import Child, started
from agentic_atlas.errors import ConfigurationError, Unavailable

if TYPE_CHECKING:
    from agentic_atlas.sdk.client.blocking import Client

AGENTS = {
    "document_search": "Finds passages in documents on its owner's machine",
    "table_query": "Answers SQL over tables on its owner's machine",
    "system_report": "Tells how the machine it runs on is doing",
    "research": "Answers questions by asking the other three",
}
"""The example agents, and what they are for."""

UP_WITHIN = 60.0
"""Seconds until the platform, and then each agent, has to be up."""

PORTS = {"ATLAS_HTTP_PORT": 8000, "ATLAS_ROUTER_PORT": 8080}
"""Used when they are free."""

_LOOK_EVERY = 0.05
_TABLES = (".csv", ".parquet", ".xlsx")
_NOT_COPIED = shutil.ignore_patterns("tests", "__pycache__", ".env", ".document_search", ".table_query", "*.pyc")


@dataclass(frozen=True)
class DemoNetwork:
    """What is up."""

    client: Client
    api_url: str
    agents: dict[str, Child]

    def check(self) -> None:
        """Raise Unavailable when an agent's process has ended."""
        for agent in self.agents.values():
            agent.check()


def packaged(name: str, in_repository: str) -> Path:
    """Return a folder that the wheel carries, or the repository's own when this runs from a clone."""
    carried = Path(__file__).parents[1] / "examples" / name
    return carried if carried.is_dir() else Path(__file__).parents[4] / in_repository


@contextmanager
def stage(documents: Path) -> Iterator[DemoNetwork]:
    """Put everything up; at the end of the block all of it is ended and removed."""
    from agentic_atlas.sdk import credentials
    from agentic_atlas.sdk.client.blocking import Client

    with tempfile.TemporaryDirectory(prefix="atlas-demo-") as temporary, ExitStack() as running:
        place = Path(temporary)
        platform = running.enter_context(_platform(place))
        told = _told(platform)
        key = credentials.read(place / "config" / "agentic-atlas" / "credentials.json").api_key(told["api_url"])
        client = running.enter_context(Client(told["api_url"], api_key=key))
        documents = _without_pictures(documents, place / "documents")
        tables = _tables(documents, place / "tables")
        agents = {
            name: running.enter_context(_agent(place, client, name, told["router_url"], documents, tables))
            for name in AGENTS
        }
        up = DemoNetwork(client, told["api_url"], agents)
        _until_online(up)
        processes = [
            (f"  {name}", f"process {child.process.pid}, with a token of its own") for name, child in agents.items()
        ]
        output.fields(
            [
                ("  platform", f"{told['api_url']}, process {platform.process.pid}"),
                ("  router", told["router_url"]),
                *processes,
                ("  logs", f"{place}, until the end"),
            ]
        )
        yield up


@contextmanager
def _platform(place: Path) -> Iterator[Child]:
    from agentic_atlas.sdk.environment import for_child

    environ = for_child(
        XDG_CONFIG_HOME=str(place / "config"),
        ATLAS_DATA_DIR=str(place / "data"),
        **{name: _port(port) for name, port in PORTS.items()},
    )
    command = [sys.executable, "-m", "agentic_atlas", "up", "--json"]
    with started("the platform", command, folder=place, environ=environ, log=place / "platform.log") as child:
        yield child


def _port(wanted: int) -> str:
    """Return the wanted port, or 0 for any when somebody has it, and say so."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            output.say(f"  Port {wanted} is in use, by another network perhaps: the demo takes a free one beside it.")
            return "0"
    return str(wanted)


@contextmanager
def _agent(place: Path, client: Client, name: str, router_url: str, documents: Path, tables: Path) -> Iterator[Child]:
    """Run an example agent as a user would: in a folder of its own, with its token in `.env`."""
    from agentic_atlas.sdk.environment import for_child

    client.agents.create(name, AGENTS[name])
    token = client.tokens.create(name, name="demo").token
    folder = place / name
    shutil.copytree(packaged(name, f"examples/{name}"), folder, ignore=_NOT_COPIED)
    env = folder / ".env"
    env.touch(mode=0o600)
    env.write_text(
        f"AGENT_JWT_TOKEN={token}\nROUTER_WS_URL={router_url}\n"
        f"DOCUMENTS_FOLDER='{documents}'\nTABLES_FOLDER='{tables}'\n"
    )
    command = [sys.executable, "agent.py"]
    environ = for_child(XDG_STATE_HOME=str(place / "state"))
    with started(name, command, folder=folder, environ=environ, log=place / f"{name}.log") as child:
        yield child


def _without_pictures(documents: Path, made: Path) -> Path:
    """Return a folder with what can be read: the product's own documents have pictures beside them in a clone."""
    if documents != folder_of(None):
        return documents
    return shutil.copytree(documents, made, ignore=shutil.ignore_patterns("assets"))


def _tables(documents: Path, made: Path) -> Path:
    """Return a folder with tables: the user's own when there are some in it, else one list of their files."""
    if any(path.suffix.lower() in _TABLES for path in documents.rglob("*")):
        return documents
    made.mkdir()
    with (made / "documents.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("file", "kind", "bytes"))
        for path in sorted(documents.rglob("*")):
            if path.is_file() and not path.is_symlink():
                rows.writerow(
                    (str(path.relative_to(documents)), path.suffix.lstrip(".") or "none", path.stat().st_size)
                )
    return made


def _told(platform: Child) -> dict[str, str]:
    """Return what `atlas up --json` says when it is up."""
    ends = time.monotonic() + UP_WITHIN
    while time.monotonic() < ends:
        for line in platform.log.read_text().splitlines():
            if line.startswith("{") and "api_url" in line:
                told: dict[str, str] = json.loads(line)
                return told
        platform.check()
        time.sleep(_LOOK_EVERY)
    raise Unavailable(f"the platform was not up after {UP_WITHIN:.0f} s")


def _until_online(up: DemoNetwork) -> None:
    ends = time.monotonic() + UP_WITHIN
    while missing := set(AGENTS) - {agent.name for agent in up.client.agents.list() if agent.status == "online"}:
        up.check()
        if time.monotonic() > ends:
            raise Unavailable(f"{', '.join(sorted(missing))} not connected after {UP_WITHIN:.0f} s")
        time.sleep(_LOOK_EVERY)


def folder_of(documents: Path | None) -> Path:
    """Return the folder of documents to ask about; raises ConfigurationError when there is none."""
    folder = (documents or packaged("documents", "docs")).expanduser().resolve()
    if not folder.is_dir():
        raise ConfigurationError(f"{folder} is not a folder: name one with documents, or none for the product's own")
    return folder
