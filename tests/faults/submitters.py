"""Callers that submit tasks all the time, and keep a history: what they asked for, and what they know became of it.

A request that got no answer is asked again with its idempotency key, as a careful caller does, or is left unknown, as a
careless one does. Now and then one that was acknowledged is sent again: it must be the same task.
"""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

import httpx

from tests.faults.stage import Server

PAUSE = 0.05
"""Seconds before a request that got no answer is sent again."""
LARGE = 512 * 1024


class Knows(StrEnum):
    """What a caller knows of its request."""

    INVOKED = "invoked"
    ACKNOWLEDGED = "acknowledged"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass
class Request:
    """One wish for a task."""

    key: str
    agent: str
    skill: str
    digest: str
    knows: Knows = Knows.INVOKED
    task: str = ""
    """Id of the task, once it is acknowledged."""
    answers: list[str] = field(default_factory=list)
    """What came back, one word a try."""


@dataclass
class Mix:
    """What the submitters ask for.

    Attributes:
        skills: (agent, skill) and how often of all.
        seconds: shortest and longest time a handler takes.
        pause: longest time between two requests of one submitter.
        most: requests of one submitter after which it stops.
    """

    skills: Mapping[tuple[str, str], float]
    seconds: tuple[float, float] = (0.0, 0.3)
    pause: float = 0.15
    most: int = 10_000


class Submitters:
    """Several callers, each on a thread of its own with its own randomness."""

    def __init__(self, server: Server, mix: Mix, *, seed: int, count: int = 4) -> None:
        self.history: list[Request] = []
        self.contradictions: list[str] = []
        self._server = server
        self._mix = mix
        self._enough = threading.Event()
        self._threads = [
            threading.Thread(target=self._submit, args=(random.Random(seed * 100 + number), number))
            for number in range(count)
        ]

    @property
    def acknowledged(self) -> list[Request]:
        return [request for request in list(self.history) if request.knows is Knows.ACKNOWLEDGED]

    def wait_for(self, acknowledged: int, patience: float) -> None:
        """Wait until so many requests are acknowledged."""
        ends = time.monotonic() + patience
        while len(self.acknowledged) < acknowledged:
            assert time.monotonic() < ends, f"{len(self.acknowledged)} acknowledged within {patience} s"
            self._enough.wait(PAUSE)

    @contextmanager
    def running(self) -> Iterator[Submitters]:
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            self.stop()

    def stop(self) -> None:
        """Ask for nothing more, and bring to an end what was begun."""
        self._enough.set()
        for thread in self._threads:
            thread.join()

    def _submit(self, chance: random.Random, number: int) -> None:
        with self._server.http() as api:
            for count in range(self._mix.most):
                if self._enough.wait(chance.uniform(0.0, self._mix.pause)):
                    return
                body, request = self._request(chance, f"{number}-{count}")
                self.history.append(request)
                self._ask(api, body, request, careful=chance.random() < 0.9)
                if request.task and chance.random() < 0.1:
                    self._ask(api, body, request, careful=False)

    def _request(self, chance: random.Random, key: str) -> tuple[dict[str, object], Request]:
        agent, skill = chance.choices(list(self._mix.skills), weights=list(self._mix.skills.values()))[0]
        size = LARGE if chance.random() < 0.01 else chance.randrange(1024, 8192)
        payload = chance.randbytes(size // 2).hex()
        task_input = {"payload": payload, "seconds": chance.uniform(*self._mix.seconds)}
        body = {"agent": agent, "skill": skill, "input": task_input, "idempotency_key": key}
        return body, Request(key, agent, skill, digest(payload))

    def _ask(self, api: httpx.Client, body: dict[str, object], request: Request, *, careful: bool) -> None:
        """Send a request; a careful caller does so until there is an answer, and even when it is to stop soon."""
        while True:
            try:
                answer = api.post("/api/v1/tasks", json=body)
            except httpx.ConnectError:
                request.answers.append("not reached")
            except httpx.TransportError as error:
                request.answers.append(type(error).__name__)
                self._know(request, Knows.UNKNOWN)
                if not careful:
                    return
            else:
                request.answers.append(str(answer.status_code))
                if self._learn(request, answer):
                    return
            if self._enough.wait(PAUSE) and len(request.answers) > 400:
                return

    def _learn(self, request: Request, answer: httpx.Response) -> bool:
        """Take an answer; False when it is to ask again later."""
        if answer.status_code in (429, 503):
            return False
        if answer.is_success:
            task = str(answer.json()["id"])
            if request.task not in ("", task):
                self.contradictions.append(f"{request.key} was task {request.task} and became {task}")
            request.task = task
            self._know(request, Knows.ACKNOWLEDGED)
        else:
            request.answers.append(answer.text[:300])
            self._know(request, Knows.FAILED)
        return True

    def _know(self, request: Request, knows: Knows) -> None:
        """What was acknowledged once stays so, whatever a repetition of it is answered."""
        if request.knows is not Knows.ACKNOWLEDGED:
            request.knows = knows
        elif knows is Knows.FAILED:
            self.contradictions.append(f"{request.key} was acknowledged and then refused: {request.answers[-1]}")


def digest(payload: str) -> str:
    """Return what a worker makes of a payload."""
    return hashlib.sha256(payload.encode()).hexdigest()
