"""An agent: a name, its skills, and `run()`."""

import asyncio
import multiprocessing
import os
import re
import secrets
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol, TypeVar, Unpack, overload

import msgspec

from agentic_atlas.errors import AtlasError, ConfigurationError
from agentic_atlas.protocol.messages import Hello, Limits, Welcome
from agentic_atlas.protocol.versions import PROTOCOL_VERSION
from agentic_atlas.sdk import identity, logs
from agentic_atlas.sdk.loops import loop_factory
from agentic_atlas.sdk.ports import Wire
from agentic_atlas.sdk.runner.inbox import LoopInbox
from agentic_atlas.sdk.runner.process import NAME as SKILL_PROCESS
from agentic_atlas.sdk.runner.runner import DRAIN_SECONDS, Runner
from agentic_atlas.sdk.signals import stop_signals
from agentic_atlas.sdk.skills.skill import Options, Skill, declare

if TYPE_CHECKING:
    from agentic_atlas.sdk.environment import AgentSettings

F = TypeVar("F", bound=Callable[..., Any])
Lifespan = Callable[["Agent"], AbstractAsyncContextManager[Any]]


class Link(Wire, Protocol):
    """What carries an agent's messages to a router and back."""

    def start(self) -> None:
        """Connect; to be called once."""


Connect = Callable[[Hello, Runner], AbstractAsyncContextManager[Link]]

EXIT_GAVE_UP: Final = 1
"""Exit code when tasks still ran at the end of the drain, and were given up."""
EXIT_CONFIGURATION: Final = 2
"""Exit code when the agent cannot run as it is configured: its token, an address, a setting."""
_NAME = re.compile(r"[a-z0-9]([a-z0-9_-]{0,62}[a-z0-9])?")
_LEAVE_SECONDS: Final = 15.0
"""How long the process may take to end after its drain is over, before it is ended."""


class Agent:
    """A member of the network: its skills can be called by people, programs and other agents.

    ```python
    agent = Agent("translator", description="Translates text with a model on this machine")

    @agent.skill
    async def translate(ctx: Context, text: Annotated[str, "Text to translate"], language: str = "fr") -> str:
        \"""Translate text into a language.\"""
        return await local_model(text, language)

    if __name__ == "__main__":
        agent.run()
    ```
    """

    def __init__(
        self,
        name: str,
        *,
        description: str = "",
        concurrency: int = 8,
        labels: Mapping[str, str] | None = None,
        lifespan: Lifespan | None = None,
    ) -> None:
        """Declare an agent.

        Args:
            name: lower-case letters, digits, `_` and `-`; the name it was created under on the platform.
            description: for the people and models that choose between agents.
            concurrency: tasks that one process runs at the same time, 1 to 1,000.
            labels: facts about this process, for instance `{"gpu": "yes"}`; at most 64.
            lifespan: called with the agent, returns an async context manager that is entered before the agent
                connects and left after its last task.

        Raises:
            ConfigurationError: one of these is not allowed; the message names the fix.
        """
        if not _NAME.fullmatch(name):
            allowed = "up to 64 lower-case letters, digits, - and _, with a letter or digit at both ends"
            raise ConfigurationError(f"{name!r} is no name for an agent: use {allowed}")
        self.name: Final = name
        self._skills: dict[str, Skill] = {}
        self._lifespan = lifespan
        self._runner: Runner | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = False
        self._known = False
        self._gave_up: list[str] = []
        self._hello = _declared(name, description, concurrency, labels or {})

    @property
    def skills(self) -> Mapping[str, Skill]:
        """The declared skills by name, in the order of their declaration."""
        return MappingProxyType(self._skills)

    @overload
    def skill(self, function: F, /) -> F: ...

    @overload
    def skill(self, /, **options: Unpack[Options]) -> Callable[[F], F]: ...

    def skill(self, function: F | None = None, /, **options: Unpack[Options]) -> F | Callable[[F], F]:
        """Declare a function as a skill, bare or with options (`skill.Options`): `@agent.skill(timeout=60)`.

        `async def` runs on the agent's loop, `def` in a thread, `def` with `process=True` in a process of its own; an
        async generator streams what it yields, and its output is the list of it (null when too large for one output).
        Parameters and return type become JSON Schemas; a parameter `ctx` gets the context. The function itself stays
        what it is and can be called as before.

        Raises:
            ConfigurationError: the function cannot be a skill; the message names file, line, parameter and fix.
        """
        if function is not None:
            self._add(declare(function, options))
            return function

        def decorate(decorated: F) -> F:
            self._add(declare(decorated, options))
            return decorated

        return decorate

    async def serve(self) -> None:
        """Connect and run tasks until `stop` is called; for programs that have a loop of their own.

        Cancelling it leaves running tasks without a result: they are delivered again. `run` adds signal handling.

        Raises:
            ConfigurationError: the environment lacks something; the message names the fix.
            AtlasError: the router refuses this agent for good; the message says what to do.
        """
        from agentic_atlas.sdk import environment

        self._check_startable()
        folder = _folder()
        settings = environment.load(folder)
        log = logs.logger(settings.log_level, settings.log_format)
        for warning in settings.warnings:
            log.warning(warning)
        await self.serve_over(_linked(settings, _token(settings, folder), log), log)

    async def serve_over(
        self, connect: Connect, log: logs.Log, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """`serve` over a link of one's own making, without an environment (`agentic_atlas.testing`).

        Args:
            connect: gives the link, which is left when the agent has ended.
            log: where to say what happens.
            monotonic: the clock that deadlines are measured with, in seconds.
        """
        self._check_startable()
        self._loop = asyncio.get_running_loop()
        try:
            async with self._lifespan(self) if self._lifespan is not None else nullcontext():
                await self._serve(connect, log, monotonic)
        finally:
            self._loop = None
            self._stopping = self._known = False

    def run(self) -> None:
        """Run the agent until it is told to stop (SIGINT, SIGTERM), then let its tasks finish for up to 30 s.

        A second signal ends the process at once. When the agent cannot run at all, one sentence on standard error
        names the fix and the exit code is 2; it is 1 when tasks were given up because they took longer than the 30 s.
        """
        if multiprocessing.current_process().name == SKILL_PROCESS:
            raise ConfigurationError('put agent.run() under `if __name__ == "__main__":`, as process=True needs it')
        if _in_loop():
            raise ConfigurationError("a loop is running here already: use `await agent.serve()` instead of agent.run()")
        try:
            with (
                stop_signals(self.stop, _end, patience=DRAIN_SECONDS + _LEAVE_SECONDS),
                asyncio.Runner(loop_factory=loop_factory()) as loop,
            ):
                loop.run(self.serve())
        except AtlasError as error:
            sys.stderr.write(f"{error.message}\n")
            raise SystemExit(EXIT_CONFIGURATION) from None
        if self._gave_up:
            sys.stderr.write(f"gave up what still ran after {DRAIN_SECONDS:g} s: {', '.join(self._gave_up)}\n")
            raise SystemExit(EXIT_GAVE_UP)

    def stop(self) -> None:
        """Ask `serve` to end: no new tasks, and what runs may finish for up to 30 s. From any thread, or a signal."""
        self._stopping = True
        loop = self._loop
        if loop is not None:
            loop.call_soon_threadsafe(self._drain)

    def _add(self, skill: Skill) -> None:
        if skill.name in self._skills:
            fix = 'give one of them another with name="…"'
            raise ConfigurationError(f"the agent {self.name} has two skills with the name {skill.name}: {fix}")
        if len(self._skills) >= Limits().skills:
            raise ConfigurationError(f"the agent {self.name} has more than {Limits().skills} skills: make two of it")
        self._skills[skill.name] = skill

    def _check_startable(self) -> None:
        if not self._skills:
            raise ConfigurationError(f"the agent {self.name} has no skills: put @agent.skill above a function")
        if self._loop is not None:
            raise ConfigurationError(f"the agent {self.name} is running already: one process is one instance of it")

    async def _serve(self, connect: Connect, log: logs.Log, monotonic: Callable[[], float]) -> None:
        if self._stopping:
            return
        runner = self._runner = Runner(
            self._skills,
            concurrency=self._hello.concurrency,
            log=log,
            on_connected=lambda welcome: self._tell(welcome, log),
            monotonic=monotonic,
        )
        try:
            async with connect(self._registration(), runner) as link:
                await runner.run(link, link.start)
        finally:
            self._gave_up = runner.left
            self._runner = None

    def _drain(self) -> None:
        if self._runner is not None:
            self._runner.drain(DRAIN_SECONDS)

    def _registration(self) -> Hello:
        return msgspec.structs.replace(
            self._hello,
            instance=identity.instance(secrets.token_hex(8), self._skills.values()),
            skills=[skill.spec() for skill in self._skills.values()],
        )

    def _tell(self, welcome: Welcome, log: logs.Log) -> None:
        if self._known:
            return
        self._known = True
        ready = f"ready as {welcome.owner}/{welcome.agent} (instance {welcome.instance})"
        log.info(ready, skills=", ".join(self._skills))
        if welcome.agent != self.name:
            other = f"the token belongs to the agent {welcome.agent}, so {self.name} is known by that name"
            log.warning(other)


def _declared(name: str, description: str, concurrency: int, labels: Mapping[str, str]) -> Hello:
    """Return the part of `hello` that is known at the declaration, checked as the router checks it."""
    given = {
        "protocol": PROTOCOL_VERSION,
        "instance": {"id": "none"},
        "skills": [],
        "concurrency": concurrency,
        "description": description,
        "labels": dict(labels),
    }
    try:
        return msgspec.convert(given, Hello)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"the agent {name} is not declared well: {error}") from None


def _linked(settings: "AgentSettings", token: Callable[[], str], log: logs.Log) -> Connect:
    """Return what connects to the router that the settings name."""

    @asynccontextmanager
    async def connect(hello: Hello, runner: Runner) -> AsyncIterator[Link]:
        # Only now: what connects is slow to import, and scripts import agents for other reasons too.
        from agentic_atlas.sdk.link import link
        from agentic_atlas.sdk.link.surroundings import Surroundings
        from agentic_atlas.sdk.spool.file import spool_in

        inbox = LoopInbox(runner, asyncio.get_running_loop())
        around = Surroundings(spool=spool_in(settings.spool, settings.token, hello.instance.id, log))
        made = link.Link(settings.router_url, token, hello, inbox, on_loop=runner.on_loop, log=log, surroundings=around)
        try:
            yield made
        finally:
            await asyncio.to_thread(made.stop, link.FLUSH)

    return connect


def _token(settings: "AgentSettings", folder: Path | None) -> Callable[[], str]:
    """Return what gives the token for each connection: a new one in `.env` holds from the next connection on."""
    from agentic_atlas.sdk import environment

    held = settings.token

    def current() -> str:
        nonlocal held
        # ConfigurationError: somebody is editing the file; the last token is the best there is.
        with suppress(ConfigurationError):
            held = environment.load(folder).token
        return held

    return current if settings.token_from_file else lambda: held


def _in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _folder() -> Path | None:
    """Return the folder of the program that was started, where its `.env` is."""
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    return Path(file).resolve().parent if file else None


def _end(code: int) -> NoReturn:
    """End the process here and now, whatever its skills do."""
    sys.stderr.write("ending at once\n")
    sys.stderr.flush()
    os._exit(code)
