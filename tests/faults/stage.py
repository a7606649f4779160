"""A network with workers: real processes that a test kills, stops and starts again, and whose output is kept."""

from __future__ import annotations

import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx

from agentic_atlas import Client
from tests.e2e.processes import PATIENCE, Platform, Process, connected, python
from tests.faults.health import BAD_SIGNS
from tests.faults.ledgers import read as read_ledgers

WORKER = Path(__file__).with_name("worker.py")
OPEN = ("submitted", "working", "input_required")
SOON = threading.Event()
"""Never set: a wait for what gives no sign."""


class Server(Platform):
    """`atlas up`, or a program like it, and everything that its processes said."""

    def __init__(self, folder: Path, *, program: tuple[str, ...] = ("-m", "agentic_atlas"), **settings: str) -> None:
        super().__init__(folder, **settings)
        self.environ["PYTHONWARNINGS"] = "default::ResourceWarning"
        self.program = program
        self.processes: list[Process] = []

    def launch(self) -> Process:
        self.processes.append(super().launch())
        return self.processes[-1]

    @property
    def database(self) -> Path:
        return self.folder / "data" / "atlas.sqlite3"

    def http(self) -> httpx.Client:
        """Return a client of the HTTP API that tries nothing twice."""
        headers = {"Authorization": f"Bearer {self.api_key}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=PATIENCE, trust_env=False)

    def copied_database(self, folder: Path) -> Path:
        """Return a copy of the database with its log, as the last process left it; no server may run."""
        assert self.process is not None and not self.process.running
        folder.mkdir(parents=True, exist_ok=True)
        for suffix in ("", "-wal"):
            source = Path(f"{self.database}{suffix}")
            target = folder / source.name
            target.unlink(missing_ok=True)
            if source.exists():
                shutil.copyfile(source, target)
        return folder / self.database.name

    def check_database(self) -> None:
        """See that what the last process left is whole; no server may run."""
        with closing(sqlite3.connect(self.copied_database(self.folder / "copy"))) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert database.execute("PRAGMA foreign_key_check").fetchall() == []


class Worker:
    """One place for an agent's process: a token, a ledger, and the processes that were there one after the other."""

    def __init__(self, server: Server, name: str, token: str, ledger: Path, **environ: str) -> None:
        self.name = name
        self.ledger = ledger
        self.processes: list[Process] = []
        self._folder = ledger.parent
        self._environ = server.environ | {
            "AGENT_JWT_TOKEN": token, "AGENT": name, "LEDGER": str(ledger),
        } | environ  # fmt: skip
        ledger.touch()

    @property
    def process(self) -> Process:
        return self.processes[-1]

    def start(self) -> Worker:
        self.processes.append(Process(*python(str(WORKER)), folder=self._folder, environ=self._environ))
        return self

    def ready(self) -> Worker:
        """Wait until it is registered."""
        self.process.wait_for(connected)
        return self

    def kill(self) -> None:
        self.process.kill()

    def stop(self) -> int:
        return self.process.stop()


class Stage:
    """A server and its workers."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.workers: list[Worker] = []

    def add(self, name: str, instances: int = 1, **environ: str) -> list[Worker]:
        """Start so many processes of an agent, each with its own token; wait until they are registered."""
        with Client(self.server.url, api_key=self.server.api_key) as client:
            client.agents.create(name)
            tokens = [client.tokens.create(name).token for _ in range(instances)]
        first = len(self.workers)
        added = [
            Worker(self.server, name, token, self.server.folder / f"ledger-{first + number}", **environ)
            for number, token in enumerate(tokens)
        ]
        self.workers += added
        for worker in added:
            worker.start()
        for worker in added:
            worker.ready()
        return added

    @property
    def ledgers(self) -> list[Path]:
        return [worker.ledger for worker in self.workers]

    @property
    def processes(self) -> list[Process]:
        return [*self.server.processes, *(process for worker in self.workers for process in worker.processes)]

    def begun(self, starts: int, within: float = PATIENCE) -> None:
        """Wait until the agents have written so many starts into their ledgers."""
        until = time.monotonic() + within
        while (begun := len(read_ledgers(self.ledgers).starts)) < starts:
            assert time.monotonic() < until, f"only {begun} of {starts} have begun"
            SOON.wait(0.02)

    def quiesce(self, within: float = 60.0, *, backlog: bool = False) -> float:
        """Wait until no task is open and the server's own monitor is content; return the seconds it took.

        With a `backlog`, of more tasks than could be done meanwhile, it may take longer while those get fewer.
        """
        began = moved = time.monotonic()
        fewest = float("inf")
        with self.server.http() as api:
            while (left := moved + within - time.monotonic()) > 0:
                still = self._open(api) or _faults(api)
                if not still:
                    return time.monotonic() - began
                if backlog and (open_tasks := _count(api)) < fewest:
                    fewest, moved = open_tasks, time.monotonic()
                task = next(iter(still))
                if task.startswith("tsk_"):
                    api.get(f"/api/v1/tasks/{task}", params={"wait": min(left, 5.0)}).raise_for_status()
                else:
                    SOON.wait(0.05)
        raise AssertionError(f"{within} s later there is still {still}")

    def shown(self) -> dict[str, tuple[str, int]]:
        """Return state and last event's number of every task, as the API shows them."""
        with Client(self.server.url, api_key=self.server.api_key) as client:
            return {task.id: (task.state, task.last_seq) for task in client.tasks.list()}

    def check_outputs(self) -> None:
        """See that no process said what none may say."""
        for process in self.processes:
            signs = [sign for sign in BAD_SIGNS if sign in process.output]
            assert not signs, f"{signs} in the output of {process.pid}:\n{process.output[-20_000:]}"

    def end(self) -> None:
        """End every process that still runs."""
        for process in self.processes:
            process.kill()

    def _open(self, api: httpx.Client) -> dict[str, Any]:
        answer = api.get("/api/v1/tasks", params={"state": OPEN, "limit": 3}).raise_for_status()
        return {
            task["id"]: {name: task[name] for name in ("agent", "skill", "state", "attempt", "updated_at")}
            for task in answer.json()["items"]
        }


def _count(api: httpx.Client) -> float:
    """Return how many tasks are open."""
    lines = api.get("/metrics").raise_for_status().text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("atlas_open_tasks{"))


def _faults(api: httpx.Client) -> dict[str, Any]:
    """Return the invariants that are broken right now."""
    health = api.get("/healthz").json()
    broken = {name: count for name, count in health["invariants"].items() if count}
    return broken | ({} if health["status"] == "ok" else {"status": health["status"]})


@contextmanager
def staged(folder: Path, **server: Any) -> Iterator[Stage]:
    """Start a server, and end it and all its workers after the block; then look at what they said."""
    stage = Stage(Server(folder / "network", **server))
    stage.server.start()
    try:
        yield stage
    finally:
        stage.end()
    stage.check_outputs()
