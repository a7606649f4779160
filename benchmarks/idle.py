"""Agents that are connected and do nothing: what each takes of the server, and what it costs to come back.

The agents are sockets of a process of their own, which say what agents say: `hello`, and a beat every `BEAT` seconds.
With a checkout of another version, which has to have its own `.venv`, both are measured in the same run and compared:

```console
$ python -m benchmarks.idle
$ python -m benchmarks.idle --against ../other
```
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from agentic_atlas.protocol import codec
from agentic_atlas.protocol.messages import Beat, Hello, InstanceInfo, Resources, SkillSpec
from benchmarks.http_load import Caller
from tests.e2e.processes import Platform
from tests.integration.router.doors import SUBPROTOCOL, TEXT, frame, request

AGENTS = 600
FIRST = 60
"""Agents that are connected before those that are counted: what a server loads once is no agent's."""
BEAT = 8.0
WATCHED = 24.0
"""Seconds of idleness, three beats of everybody."""
SETTLED = 2.0
RESOURCES = Resources(
    threads=6,
    open_files=24,
    cores=8.0,
    machine_cpu=12.5,
    memory_used=9_000_000_000,
    memory_total=16_000_000_000,
    load=0.75,
    disk_used=200_000_000_000,
    disk_total=500_000_000_000,
    battery=80.0,
)
"""What an agent on a laptop tells with each beat."""
SKILL = SkillSpec(
    "count",
    {
        "type": "object",
        "properties": {"text": {"type": "string"}, "most": {"type": "integer", "default": 10, "minimum": 1}},
        "required": ["text"],
        "additionalProperties": False,
    },
    "Count the words of a text.",
)


@dataclass(frozen=True)
class Idle:
    """What was measured of one server."""

    kib: float
    """Resident memory for each agent."""
    percent: float
    """Processor time while they were idle, of one core."""
    back_ms: float
    """Median of connect, hello and welcome of an agent that was there before, one agent after the other."""


class Agent:
    """One agent's socket."""

    def __init__(self, port: int, token: str, number: int) -> None:
        self._port = port
        lines = (f"Sec-WebSocket-Protocol: {SUBPROTOCOL}", f"Authorization: Bearer {token}")
        self._request = request("", "/ws", *lines)
        hello = Hello(1, InstanceInfo(f"inst_{number}", sdk="benchmark", pid=number), [SKILL])
        self._hello = frame(TEXT, codec.encode(hello))
        self._socket: socket.socket | None = None

    def connect(self) -> None:
        self._socket = opened = socket.create_connection(("127.0.0.1", self._port), 30.0)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened.sendall(self._request)
        self._read_until(b"\r\n\r\n")
        opened.sendall(self._hello)
        self._read_until(b'"welcome"')

    def beat(self, number: int) -> None:
        assert self._socket is not None
        beat = Beat(number, cpu=0.1 * (number % 7), memory=55_000_000 + number, resources=RESOURCES)
        self._socket.sendall(frame(TEXT, codec.encode(beat)))
        self._read_until(b'"beat"')

    def leave(self) -> None:
        assert self._socket is not None
        self._socket.close()

    def _read_until(self, wanted: bytes) -> None:
        assert self._socket is not None
        read = b""
        while wanted not in read:
            more = self._socket.recv(65_536)
            if not more:
                raise SystemExit(f"the router ended the connection: {read!r}")
            read += more


def crowd(port: int, tokens: list[str]) -> None:
    """Be all the agents; each line that comes says what to do, each that goes that it is done."""
    agents = [Agent(port, token, number) for number, token in enumerate(tokens)]
    for line in sys.stdin:
        print(json.dumps(DOES[line.split()[0]](agents, *line.split()[1:])), flush=True)


def connect(agents: list[Agent], begin: str, end: str) -> None:
    for agent in agents[int(begin) : int(end)]:
        agent.connect()


def idle(agents: list[Agent], seconds: str) -> None:
    began, beats = time.perf_counter(), 0
    while time.perf_counter() < began + float(seconds):
        time.sleep(max(0.0, began + beats * BEAT / AGENTS - time.perf_counter()))
        agents[beats % AGENTS].beat(beats // AGENTS + 1)
        beats += 1


def leave(agents: list[Agent]) -> None:
    for agent in agents:
        agent.leave()


def back(agents: list[Agent], number: str) -> float:
    """Return the milliseconds in which an agent has come back."""
    began = time.perf_counter()
    agents[int(number)].connect()
    return 1e3 * (time.perf_counter() - began)


DOES: dict[str, Callable[..., float | None]] = {"connect": connect, "idle": idle, "leave": leave, "back": back}


class Server(Platform):
    """The network of a checkout, and its crowd."""

    def __init__(self, folder: Path, tree: Path) -> None:
        super().__init__(folder, beat_every=str(BEAT))
        self.interpreter = str(tree / ".venv" / "bin" / "python")
        self._crowd: subprocess.Popen[str] | None = None

    def crowded(self) -> None:
        """Bring it up, with the agents whose memory is not counted."""
        self.start()
        tokens = asyncio.run(make_tokens(self.url, self.api_key))
        self._crowd = subprocess.Popen(
            (sys.executable, "-m", "benchmarks.idle", "--crowd", str(urlsplit(self.router_url).port)),
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.tell(json.dumps(tokens))
        self.do(f"connect 0 {FIRST}")

    def tell(self, line: str) -> None:
        assert self._crowd is not None
        print(line, file=self._crowd.stdin, flush=True)

    def do(self, line: str) -> float:
        self.tell(line)
        return self.told()

    def told(self) -> float:
        assert self._crowd is not None
        assert self._crowd.stdout is not None
        return float(json.loads(self._crowd.stdout.readline()) or 0.0)

    def memory(self) -> float:
        assert self.process is not None
        return psutil.Process(self.process.pid).memory_info().rss / 1024

    def worked(self) -> float:
        assert self.process is not None
        return sum(psutil.Process(self.process.pid).cpu_times()[:2])

    def end(self) -> None:
        if self._crowd is not None:
            self._crowd.communicate()
        if self.process is not None:
            self.kill()


def measure(trees: dict[str, Path]) -> dict[str, Idle]:
    """Measure the servers of checkouts: one after the other, and side by side where time or load would tell."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        servers = {name: Server(Path(folder) / name, tree) for name, tree in trees.items()}
        kib = {}
        for name, server in servers.items():
            running.callback(server.end)
            server.crowded()
            time.sleep(SETTLED)
            before = server.memory()
            server.do(f"connect {FIRST} {FIRST + AGENTS}")
            time.sleep(SETTLED)
            kib[name] = (server.memory() - before) / AGENTS
            server.do("leave")
        for command in (f"connect 0 {AGENTS}", f"idle {BEAT}", f"idle {WATCHED}"):
            worked = {name: server.worked() for name, server in servers.items()}
            for server in servers.values():
                server.tell(command)
            for name, server in servers.items():
                server.told()
                worked[name] = server.worked() - worked[name]
        took = come_back(servers)
    return {name: Idle(kib[name], 100 * worked[name] / WATCHED, statistics.median(took[name])) for name in servers}


def come_back(servers: dict[str, Server]) -> dict[str, list[float]]:
    """Have all leave and come back in turns: what the disk is slow for meanwhile, all are slow for."""
    for server in servers.values():
        server.do("leave")
    time.sleep(SETTLED)
    took: dict[str, list[float]] = {name: [] for name in servers}
    for number in range(AGENTS):
        for name, server in servers.items():
            took[name].append(server.do(f"back {number}"))
    return took


async def make_tokens(url: str, key: str) -> list[str]:
    """Make the agents, and a token for each."""
    where = urlsplit(url)
    caller = await Caller.connect(where.hostname, where.port)
    headers = f"Authorization: Bearer {key}\r\nContent-Type: application/json\r\n"
    tokens = []
    for number in range(FIRST + AGENTS):
        status, answer = await caller.post("/api/v1/agents", b'{"name":"idle-%d"}' % number, headers)
        assert status == 201, answer
        status, answer = await caller.post(f"/api/v1/agents/idle-{number}/tokens", b"{}", headers)
        assert status == 201, answer
        tokens.append(json.loads(answer)["token"])
    caller.close()
    return tokens


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--against", type=Path, help="a checkout of another version, with its .venv")
    parser.add_argument("--crowd", type=int, metavar="PORT", help="be the agents")
    given = parser.parse_args()
    if given.crowd:
        crowd(given.crowd, json.loads(input()))
        return
    trees = {"other": given.against} if given.against else {}
    trees["this"] = Path(__file__).parents[1]
    print(f"{AGENTS} agents, a beat each {BEAT:g} s")
    print(f"{'':6} {'KiB an agent':>13} {'% of a core':>12} {'ms to come back':>16}")
    found = measure(trees)
    for name, one in found.items():
        print(f"{name:6} {one.kib:13.1f} {one.percent:12.2f} {one.back_ms:16.2f}")
    if given.against:
        this, other = found["this"], found["other"]
        print(
            f"{'ratio':6} {this.kib / other.kib:13.2f} {this.percent / other.percent:12.2f}"
            f" {this.back_ms / other.back_ms:16.2f}"
        )


if __name__ == "__main__":
    main()
