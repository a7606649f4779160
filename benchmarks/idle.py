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
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from agentic_atlas.protocol import codec
from agentic_atlas.protocol.messages import Beat, Hello, InstanceInfo, SkillSpec
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
        self._socket.sendall(frame(TEXT, codec.encode(Beat(number))))
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
    """Be all the agents: connect, be idle for so long as a line says, leave and come back."""
    agents = [Agent(port, token, number) for number, token in enumerate(tokens)]
    for agent in agents[:FIRST]:
        agent.connect()
    print("warm", flush=True)
    input()
    for agent in agents[FIRST:]:
        agent.connect()
    print("connected", flush=True)
    ends = time.perf_counter() + float(input())
    began, beats = time.perf_counter(), 0
    while (now := time.perf_counter()) < ends:
        time.sleep(max(0.0, began + beats * BEAT / len(agents) - now))
        agents[beats % len(agents)].beat(beats // len(agents) + 1)
        beats += 1
    print("idled", flush=True)
    input()
    for agent in agents:
        agent.leave()
    time.sleep(SETTLED)
    took = []
    for agent in agents:
        began = time.perf_counter()
        agent.connect()
        took.append(time.perf_counter() - began)
    print(json.dumps(1e3 * statistics.median(took)), flush=True)


class Server(Platform):
    """A network of some checkout."""

    def __init__(self, folder: Path, tree: Path) -> None:
        super().__init__(folder, beat_every=str(BEAT))
        self.interpreter = str(tree / ".venv" / "bin" / "python")


def measure(tree: Path) -> Idle:
    """Measure the server of a checkout."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "network", tree)
        try:
            server.start()
            assert server.process is not None
            tokens = asyncio.run(make_tokens(server.url, server.api_key))
            time.sleep(SETTLED)
            return _measure(psutil.Process(server.process.pid), urlsplit(server.router_url).port or 0, tokens)
        finally:
            server.kill()


def _measure(process: psutil.Process, port: int, tokens: list[str]) -> Idle:
    agents = subprocess.Popen(
        (sys.executable, "-m", "benchmarks.idle", "--crowd", str(port)),
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert agents.stdin is not None
    assert agents.stdout is not None

    def say(line: str) -> None:
        print(line, file=agents.stdin, flush=True)

    def hear() -> str:
        assert agents.stdout is not None
        return agents.stdout.readline()

    with agents:
        say(json.dumps(tokens))
        assert hear() == "warm\n"
        time.sleep(SETTLED)
        before = process.memory_info().rss
        say("all of you")
        assert hear() == "connected\n"
        time.sleep(SETTLED)
        used = process.memory_info().rss - before
        worked, began = sum(process.cpu_times()[:2]), time.perf_counter()
        say(str(WATCHED))
        assert hear() == "idled\n"
        worked, lasted = sum(process.cpu_times()[:2]) - worked, time.perf_counter() - began
        say("back")
        back = float(hear())
    return Idle(used / AGENTS / 1024, 100 * worked / lasted, back)


async def make_tokens(url: str, key: str) -> list[str]:
    """Make the agents, and a token for each."""
    where = urlsplit(url)
    caller = Caller(*await asyncio.open_connection(where.hostname, where.port))
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
    found = {name: measure(tree) for name, tree in trees.items()}
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
