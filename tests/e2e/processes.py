"""Starts the product as a user would: `atlas up` and agents as processes of their own, and nothing is left behind."""

from __future__ import annotations

import json
import os
import queue
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from agentic_atlas import Client, Conflict
from tests.docs.pages import ROOT

PATIENCE = 30.0
"""Seconds after which something that should have happened did not."""


class Process:
    """A child process whose output is read as it comes; `stop` is SIGTERM, `kill` is SIGKILL.

    `asks`: it reads what is typed.
    """

    def __init__(self, *command: str, folder: Path, environ: dict[str, str], asks: bool = False) -> None:
        self.folder = folder
        self.lines: list[str] = []
        self._new: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env=environ,
            stdin=subprocess.PIPE if asks else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def output(self) -> str:
        return "".join(self.lines)

    def wait_for(self, shown: Callable[[str], bool] | str, patience: float = PATIENCE) -> str:
        """Return the next line of output that is wanted; what was read on the way does not come again."""
        wanted = (lambda line: shown in line) if isinstance(shown, str) else shown
        ends = time.monotonic() + patience
        while True:
            try:
                line = self._new.get(timeout=max(0.0, ends - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"did not say {shown!r} within {patience} s:\n{self.output}") from None
            if line is None:
                raise AssertionError(f"ended ({self._process.wait()}) before it said {shown!r}:\n{self.output}")
            if wanted(line):
                return line

    def types(self, line: str) -> None:
        """Type a line into it; an empty one is the last (Ctrl-D)."""
        assert self._process.stdin is not None
        if line:
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()
        else:
            self._process.stdin.close()

    def wait(self, patience: float = PATIENCE) -> int:
        """Wait for its end; return the exit code."""
        code = self._process.wait(patience)
        self._reader.join(patience)
        return code

    def stop(self) -> int:
        if self.running:
            self._process.send_signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        if self.running:
            self._process.kill()
        if self._process.stdin is not None:
            self._process.stdin.close()
        self.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            for line in stream:
                self.lines.append(line)
                self._new.put(line)
        self._new.put(None)


class Platform:
    """`atlas up` with a data folder and a home of its own; it can be stopped, killed and started again."""

    program: tuple[str, ...] = ("-m", "agentic_atlas")
    """What takes the place of `atlas`."""
    interpreter: str = sys.executable
    """The Python of server and agents."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.environ = {
            name: value for name, value in os.environ.items() if not name.startswith(("ATLAS_", "AGENT_", "COVERAGE"))
        }
        self.environ |= {
            "HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_STATE_HOME": str(folder / "state"),
            "ATLAS_DATA_DIR": str(folder / "data"),
            "ATLAS_HTTP_PORT": str(free_port()),
            "ATLAS_ROUTER_PORT": str(free_port()),
            "PYTHONUNBUFFERED": "1",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        self.environ |= {f"ATLAS_{name.upper()}": value for name, value in settings.items()}
        self.process: Process | None = None
        self.url = self.router_url = ""

    def launch(self) -> Process:
        """Start it, and do not wait until it is up."""
        self.process = Process(
            self.interpreter, *self.program, "up", "--json", folder=self.folder, environ=self.environ
        )
        return self.process

    def start(self) -> Platform:
        told = json.loads(self.launch().wait_for(lambda line: line.startswith("{") and "api_url" in line))
        self.url, self.router_url = told["api_url"], told["router_url"]
        self.environ["ATLAS_API_URL"] = self.url
        self.environ["ROUTER_WS_URL"] = self.router_url
        return self

    def stop(self) -> int:
        assert self.process is not None
        return self.process.stop()

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()

    @property
    def api_key(self) -> str:
        written = json.loads((self.folder / "config" / "agentic-atlas" / "credentials.json").read_text())
        return str(written["platforms"][self.url]["api_key"])

    def atlas(self, *arguments: str, folder: Path | None = None, check: bool = True) -> str:
        """Run an `atlas` command to its end and return what it printed to stdout."""
        done = subprocess.run(
            python("-m", "agentic_atlas", *arguments),
            cwd=folder or self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=PATIENCE * 2,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"atlas {' '.join(arguments)} ended {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout if check else done.stdout + done.stderr

    def token(self, agent: str, **options: float) -> str:
        """Make a token, and the agent where there is none; by HTTP, for a command takes a second to start."""
        with Client(self.url, api_key=self.api_key) as atlas:
            with suppress(Conflict):
                atlas.agents.create(agent)
            return atlas.tokens.create(agent, **options).token

    @contextmanager
    def agent(
        self, name: str, code: str, *, token: str | None = None, in_file: bool = False, **environ: str
    ) -> Iterator[Process]:
        """Run an agent with this code until the end of the block; `in_file` puts its token into `.env` beside it."""
        folder = self.folder / "agents" / f"{name}-{len(list(self.folder.glob('agents/*')))}"
        folder.mkdir(parents=True)
        (folder / "agent.py").write_text(code)
        variables = {"AGENT_JWT_TOKEN": token or self.token(name)}
        if in_file:
            (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
            variables = {}
        process = Process(self.interpreter, "agent.py", folder=folder, environ=self.environ | variables | environ)
        try:
            yield process
        finally:
            process.kill()


def free_port() -> int:
    """Return a port that nobody listens on, and that no connection gets by chance while the server restarts.

    Whoever asks listens there later, so each worker has ports of its own and gives none twice within a round.
    """
    while True:
        port = next(_PORTS)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


def _ports(worker: int) -> Iterator[int]:
    """Yield the ports below the ephemeral ones that are this worker's, round and round, from anywhere."""
    ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    mine = range(10_000 + worker, ephemeral, MOST_WORKERS)
    begin = random.SystemRandom().randrange(len(mine))
    while True:
        yield from (mine[(begin + n) % len(mine)] for n in range(len(mine)))


MOST_WORKERS = 16
_PORTS = _ports(int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % MOST_WORKERS)


def python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]


def program(name: str) -> str:
    """Return a program of Debian's; without it the test is skipped, and in CI it fails."""
    fetched = [str(found) for found in (ROOT / ".venv" / "debian" / "usr").glob(f"*bin/{name}")]
    path = shutil.which(name) or next(iter(fetched), None)
    if path is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"there is no {name} here: make setup fetches one")
    return path


def connected(line: str) -> bool:
    """Tell whether an agent says that it is registered."""
    return "ready as" in line


Json = dict[str, Any]
