"""A router that speaks a script: real WebSockets by another library, the product's own session, one thread each."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from msgspec import Raw
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

from agentic_atlas.observe.logs import sentence
from agentic_atlas.protocol import Session
from agentic_atlas.protocol.messages import (
    Beat,
    Caller,
    Event,
    EventKind,
    Hello,
    InstanceInfo,
    Limits,
    Message,
    Result,
    Side,
    SkillSpec,
    Task,
    Verdict,
    Welcome,
)
from agentic_atlas.protocol.messages import Outcome as TaskOutcome
from agentic_atlas.protocol.versions import SUBPROTOCOL
from agentic_atlas.sdk.agent import Agent
from agentic_atlas.sdk.link.link import LinkThread
from agentic_atlas.sdk.link.settings import Runtime, Timeouts
from agentic_atlas.sdk.tokens.source import TokenSource

PATIENCE = 10.0
TOKEN = "head.body.signature"
BEAT = 0.05
QUICK = Timeouts(tick=0.01, close=0.3, silent_beats=PATIENCE / BEAT, probe=PATIENCE, in_use=0.05)
"""Quick where a test waits, patient where a slow machine might look like a dead router."""

M = TypeVar("M")
Script = Callable[["Peer"], None]
Refusal = tuple[int, str, dict[str, str]]


class Peer:
    """The router's end of one connection."""

    def __init__(self, connection: ServerConnection) -> None:
        self.connection = connection
        self.session = Session(Side.ROUTER)
        self.request = connection.request
        self.beats: list[Beat] = []
        self.answers_beats = True

    def receive(self) -> Message:
        data = self.connection.recv(timeout=PATIENCE, decode=False)
        assert isinstance(data, bytes)
        message = self.session.receive(data)
        if isinstance(message, Beat):
            self.beats.append(message)
            if self.answers_beats:
                self.send(Beat(message.n))
        return message

    def expect(self, kind: type[M]) -> M:
        """Return the next message of this kind; beats in between are answered, anything else is a fault."""
        while True:
            message = self.receive()
            if isinstance(message, kind):
                return message
            assert isinstance(message, Beat), message

    def send(self, message: Message) -> None:
        self.connection.send(self.session.send(message).decode())

    def raw(self, data: bytes) -> None:
        self.connection.socket.sendall(data)

    def welcome(self, *verdicts: Verdict, limits: Limits | None = None, beat_every: float = BEAT) -> Hello:
        hello = self.expect(Hello)
        self.send(
            Welcome("worker", "ada", "i1", 1, limits or Limits(), beat_every, 30.0, 1_000.0, attempts=list(verdicts))
        )
        return hello

    def serve_beats(self) -> None:
        """Answer beats until the agent closes."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                self.receive()

    def closed_with(self) -> int | None:
        """Wait for the agent's close and return its code."""
        self.serve_beats()
        return self.connection.protocol.close_rcvd.code if self.connection.protocol.close_rcvd else None


class Router:
    """Runs one script a connection, in order; the last one serves all that follow."""

    def __init__(
        self,
        *scripts: Script,
        refuse: list[Refusal] | None = None,
        tls: ssl.SSLContext | None = None,
        subprotocols: list[Any] | None = [SUBPROTOCOL],  # noqa: B006 - never changed
    ) -> None:
        self.scripts = list(scripts)
        self.refusals = refuse or []
        self.faults: queue.Queue[Exception] = queue.Queue()
        self.requests: list[Request] = []
        self._tls = tls
        self._subprotocols = subprotocols
        self._lock = threading.Lock()
        self._server: Server | None = None
        self._threads: list[threading.Thread] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"{'wss' if self._tls else 'ws'}://localhost:{self.port}/ws"

    def start(self) -> Router:
        self._server = serve(
            self._handle,
            sock=_listen(self.port),
            subprotocols=self._subprotocols,
            process_request=self._process,
            compression=None,
            ping_interval=None,
            close_timeout=1,
            max_size=8 * 1024 * 1024,
            ssl=self._tls,
        )
        self.port = self._server.socket.getsockname()[1]
        thread = threading.Thread(target=self._server.serve_forever, name="router")
        thread.start()
        self._threads.append(thread)
        return self

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server = None
        for thread in self._threads:
            thread.join(PATIENCE)

    def check(self) -> None:
        """Raise what a script raised."""
        with contextlib.suppress(queue.Empty):
            raise self.faults.get_nowait()

    def __enter__(self) -> Router:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.check()

    def _process(self, connection: ServerConnection, request: Request) -> Response | None:
        with self._lock:
            self.requests.append(request)
            if not self.refusals:
                return None
            status, body, headers = self.refusals.pop(0) if len(self.refusals) > 1 else self.refusals[0]
        response = connection.respond(status, body)
        for name, value in headers.items():
            response.headers[name] = value
        return response

    def _handle(self, connection: ServerConnection) -> None:
        with self._lock:
            script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        try:
            script(Peer(connection))
        except ConnectionClosed:
            pass
        except Exception as fault:  # noqa: BLE001 - `check` raises it again, in the test's own thread
            self.faults.put(fault)


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen()
    return listener


class Recorder:
    """An inbox that remembers, and answers pings at once unless a loop is to answer them."""

    def __init__(self) -> None:
        self.seen: queue.Queue[Any] = queue.Queue()
        self.pending: dict[tuple[str, int], int] = {}
        self.link: LinkThread | None = None
        self.answer: Callable[[object], None] | None = None

    def deliver(self, message: Message) -> None:
        self.seen.put(message)

    def drop(self, task: str, attempt: int) -> None:
        self.seen.put(("drop", task, attempt))

    def connected(self, welcome: Welcome) -> None:
        self.seen.put(welcome)

    def ended(self, error: object) -> None:
        self.seen.put(("ended", error))

    def acknowledged(self, task: str, attempt: int, pending: int) -> None:
        self.pending[task, attempt] = pending

    def attempts(self) -> list[tuple[str, int]]:
        return []

    def ping(self, token: object) -> None:
        assert self.link is not None
        (self.answer or self.link.pong)(token)

    def next(self) -> Any:
        return self.seen.get(timeout=PATIENCE)

    def expect(self, kind: type[M]) -> M:
        message = self.next()
        assert isinstance(message, kind), message
        return message

    def end(self) -> Any:
        """Wait for the end and return its error."""
        while True:
            message = self.next()
            if isinstance(message, tuple) and message[0] == "ended":
                return message[1]


class Lines:
    """A log that remembers; `wait` blocks until a line has this text in it."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self._changed = threading.Condition()

    def _add(self, level: str, event: str, fields: dict[str, Any]) -> None:
        with self._changed:
            self.lines.append((level, sentence(event, fields)))
            self._changed.notify_all()

    payloads = False

    def bind(self, **_: Any) -> Lines:
        return self

    def is_enabled_for(self, _level: int) -> bool:
        return True

    def trace(self, event: str, **fields: Any) -> None:
        self._add("trace", event, fields)

    def debug(self, event: str, **fields: Any) -> None:
        self._add("debug", event, fields)

    def info(self, event: str, **fields: Any) -> None:
        self._add("info", event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        self._add("warning", event, fields)

    def error(self, event: str, **fields: Any) -> None:
        self._add("error", event, fields)

    def having(self, text: str) -> list[str]:
        return [event for _, event in self.lines if text in event]

    def wait(self, text: str, count: int = 1) -> str:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.having(text)) >= count, PATIENCE), self.lines
            return self.having(text)[0]


HELLO = Hello(1, InstanceInfo("i1"), [SkillSpec("work", Raw(b"{}"))], 4)


@contextlib.contextmanager
def linked(
    url: str,
    *,
    timeouts: Timeouts = QUICK,
    inbox: Recorder | None = None,
    log: Lines | None = None,
    runtime: Runtime | None = None,
    token: str = TOKEN,
    tokens: TokenSource | None = None,
    hello: Hello = HELLO,
) -> Iterator[tuple[LinkThread, Recorder]]:
    """Run a link; the jitter of its back-off is nothing, so that tests are quick."""
    recorder = inbox or Recorder()
    link = LinkThread(
        url,
        tokens or TokenSource(token, log=Lines()),
        hello,
        recorder,
        log=log or Lines(),
        timeouts=timeouts,
        runtime=runtime or Runtime(random=lambda: 0.05),
    )
    recorder.link = link
    link.start()
    try:
        yield link, recorder
    finally:
        link.stop_soon(0.0)
        assert link.join(PATIENCE), "the link did not end"


def task(name: str = "t1", attempt: int = 1) -> Task:
    return Task(name, attempt, "work", Raw(b"{}"), Caller("user", "u1"), "00-0-0-00", 1_000.0)


def event(n: int, data: bytes = b"1", name: str = "t1") -> Event:
    return Event(name, 1, n, EventKind.CHUNK, Raw(data))


def result(output: bytes = b"1", name: str = "t1") -> Result:
    return Result(name, 1, TaskOutcome.COMPLETED, Raw(output))


async def begun(agent: Agent) -> None:
    """Return when an agent connects; it tells nobody, so it is looked at in each turn of the loop."""
    while agent._runner is None:  # noqa: ASYNC110 - as said
        await asyncio.sleep(0)
