"""An agent: a name, its skills, and what serves them."""

import asyncio
import inspect
import multiprocessing
import re
import secrets
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeVar, Unpack, overload

import msgspec

from agentic_atlas.errors import ConfigurationError
from agentic_atlas.observe import logs
from agentic_atlas.protocol.codec import encode
from agentic_atlas.protocol.messages import HELLO_BYTES, Hello, Limits, SkillSpec, Welcome
from agentic_atlas.protocol.refusals import refusal
from agentic_atlas.protocol.schemas import SchemaRefused, check_together, words
from agentic_atlas.protocol.versions import PROTOCOL_VERSION
from agentic_atlas.sdk import identity, program
from agentic_atlas.sdk.lines.capture import Hearer
from agentic_atlas.sdk.lines.outlet import Outlet
from agentic_atlas.sdk.outside import AgentArguments, Connect, folder_of_caller, linked, listening, log_of
from agentic_atlas.sdk.resources.pausing import PauseOptions, rules, variables
from agentic_atlas.sdk.runner.process import NAME as SKILL_PROCESS
from agentic_atlas.sdk.runner.runner import Runner
from agentic_atlas.sdk.skills.parameters import Declaration
from agentic_atlas.sdk.skills.skill import Skill, SkillOptions, declare
from agentic_atlas.sdk.threads import in_thread
from agentic_atlas.sdk.uncaught import told_in_a_sentence

if TYPE_CHECKING:
    from agentic_atlas.sdk.environment import AgentSettings

F = TypeVar("F", bound=Callable[..., object])
Lifespan = Callable[["Agent"], AbstractAsyncContextManager[object]]

MOST_DECLARED = HELLO_BYTES * 3 // 4
"""Bytes of an agent's declarations; the rest of a `hello` is for the attempts that it comes back with."""

_NAME = re.compile(r"[a-z0-9]([a-z0-9_-]{0,62}[a-z0-9])?")


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
        token: str | None = None,
        router_url: str | None = None,
        env_file: str | Path | None = None,
        **pauses: Unpack[PauseOptions],
    ) -> None:
        """Declare an agent.

        Args:
            name: lower-case letters, digits, `_` and `-`; the name it was created under on the platform.
            description: for the people and models that choose between agents.
            concurrency: tasks that one process runs at the same time, 1 to 1,000.
            labels: facts about this process, for instance `{"gpu": "yes"}`; at most 64.
            lifespan: called with the agent, returns an async context manager that is entered before the agent
                connects and left after its last task.
            token: in place of `AGENT_JWT_TOKEN`; take it from where secrets are kept, never write it into the program.
            router_url: in place of `ROUTER_WS_URL`.
            env_file: read in place of the `.env` beside the file that declares the agent. The process environment
                counts before what is in it.
            **pauses: when it takes no new tasks (`PauseOptions`): `max_memory="2 GB"`, `max_cpu=50`,
                `pause_on_battery=True`, `quiet_hours="22:00-07:00"`. For anything else the error names what was meant.

        Raises:
            ConfigurationError: one of these is not allowed; the message names the fix.
        """
        told_in_a_sentence()
        _check_no_others(name, [one for one in pauses if one not in PauseOptions.__annotations__])
        rules(variables(pauses))
        if not _NAME.fullmatch(name):
            allowed = "up to 64 lower-case letters, digits, - and _, with a letter or digit at both ends"
            raise ConfigurationError(f"{name!r} is no name for an agent: use {allowed}")
        self.name: Final = name
        file = None if env_file is None else Path(env_file).absolute()
        self._given = AgentArguments(token, router_url, file, folder_of_caller(), pauses)
        self._skills: dict[str, Skill] = {}
        self._sizes: dict[str, tuple[int, int]] = {}
        self._lifespan = lifespan
        self._runner: Runner | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        # While the lifespan begins: what ends that.
        self._beginning: asyncio.Timeout | None = None
        self._stopping: str | None = None
        self._known = False
        self._gave_up: list[str] = []
        self._hello = _declared(name, description, concurrency, labels or {})

    @property
    def skills(self) -> Mapping[str, SkillSpec]:
        """What it declares of its skills, by name, in the order of their declaration."""
        return {name: skill.spec() for name, skill in self._skills.items()}

    @overload
    def skill(self, function: F, /) -> F: ...

    @overload
    def skill(self, /, **options: Unpack[SkillOptions]) -> Callable[[F], F]: ...

    def skill(self, function: F | None = None, /, **options: Unpack[SkillOptions]) -> F | Callable[[F], F]:
        """Declare a function as a skill, bare or with options (`SkillOptions`): `@agent.skill(timeout=60)`.

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

    @property
    def gave_up(self) -> list[str]:
        """Names of the skills that still ran when it last ended, each once: their tasks were left without a result."""
        return list(self._gave_up)

    async def serve(self, *, firm: bool = False, named: bool = False) -> None:
        """Connect and run tasks until `stop` is called; for programs that have a loop of their own.

        Cancelling it leaves running tasks without a result: they are delivered again. `run` adds signal handling.

        Args:
            firm: once connected it is only ended by `stop`: a cancellation is taken for that of a skill, which cancels
                all tasks of its loop.
            named: whether each line of the log names the agent; for programs with several.

        Raises:
            ConfigurationError: the environment lacks something; the message names the fix.
            AtlasError: the router refuses this agent for good; the message says what to do.
        """
        self._check_startable()
        settings = await self._settings()
        if settings is None:
            return
        outlet = Outlet()
        log = log_of(settings, outlet, named=named)
        with listening(self.name, settings, outlet, log):
            connect = linked(self.name, self._given, settings, log, outlet)
            await serve_over(self, connect, log, firm=firm, outlet=outlet)

    def run(self) -> None:
        """Run the agent until it is told to stop (SIGINT, SIGTERM), then let its tasks finish for up to 30 s.

        A second signal ends the process at once. When the agent cannot run at all, one sentence on standard error
        names the fix and the exit code is 2; it is 1 when tasks were given up because they took longer than the 30 s.
        """
        program.run(self)

    def stop(self, *, hint: str = "") -> None:
        """Ask `serve` to end: no new tasks, and what runs may finish for up to 30 s. From any thread, or a signal.

        `hint` is added to the line in the log that says so.
        """
        self._stopping = hint
        loop = self._loop
        if loop is not None:
            loop.call_soon_threadsafe(self._drain)

    def _add(self, skill: Skill) -> None:
        before = self._skills.get(skill.name)
        if before is not None and not skill.redefines(before):
            fix = 'give one of them another with name="…"'
            raise ConfigurationError(f"the agent {self.name} has two skills with the name {skill.name}: {fix}")
        if before is None and len(self._skills) >= Limits().skills:
            raise ConfigurationError(f"the agent {self.name} has more than {Limits().skills} skills: make two of it")
        sizes = {**self._sizes, skill.name: skill.signature.sizes()}
        try:
            check_together(sum(size for size, _ in sizes.values()), sum(patterns for _, patterns in sizes.values()))
        except SchemaRefused as error:
            raise Declaration.of(skill.function).wrong(error.problem, error.fix) from None
        if self._runner is not None and (before is None or before.spec() != skill.spec()):
            what = "new" if before is None else "declared otherwise than the network knows it"
            fix = "stop the agent, declare it, and start the agent again"
            raise ConfigurationError(f"the agent {self.name} is running, and the skill {skill.name} is {what}: {fix}")
        self._skills[skill.name], self._sizes = skill, sizes

    def _check_startable(self) -> None:
        if multiprocessing.current_process().name == SKILL_PROCESS:
            raise ConfigurationError('put agent.run() under `if __name__ == "__main__":`, as process=True needs it')
        if not self._skills:
            raise ConfigurationError(f"the agent {self.name} has no skills: put @agent.skill above a function")
        if self._loop is not None:
            raise ConfigurationError(f"the agent {self.name} is running already: one process is one instance of it")

    async def _settings(self) -> "AgentSettings | None":
        """Read the environment; None when the agent was asked to stop meanwhile: `.env` may be a pipe to wait for."""
        read: list[AgentSettings] = []

        async def reading() -> None:
            read.append(await in_thread(self._given.settings, name="atlas-settings"))

        self._loop = asyncio.get_running_loop()
        try:
            await self._unless_stopped(reading())
        finally:
            self._loop = None
        if self._stopping is None:
            return read[0]
        self._stopping = None
        return None

    async def _begun(self, stack: AsyncExitStack, log: logs.Log) -> bool:
        """Enter the lifespan; False when the agent was asked to stop before it had begun."""
        if self._lifespan is not None and self._stopping is None:
            await self._unless_stopped(stack.enter_async_context(self._lifespan(self)))
        if self._stopping is not None:
            line = f"stopping before the start: nothing runs yet{self._stopping}"
            log.info("stopping", message=line)
        return self._stopping is None

    async def _unless_stopped(self, work: Coroutine[object, object, object]) -> None:
        """Do something before the agent connects; a stop ends it there."""
        beginning = self._beginning = asyncio.timeout(None if self._stopping is None else 0)
        try:
            async with beginning:
                await work
        except TimeoutError:
            if not beginning.expired():
                raise
        finally:
            self._beginning = None

    async def _serve(
        self, connect: Connect, log: logs.Log, monotonic: Callable[[], float], outlet: Hearer | None, *, firm: bool
    ) -> None:
        hello = self._registration()
        log = log.bind(agent=self.name, instance=hello.instance.id)
        runner = self._runner = Runner(
            self._skills,
            concurrency=self._hello.concurrency,
            log=log,
            on_connected=lambda welcome: self._tell(welcome, log),
            monotonic=monotonic,
            outlet=outlet,
        )
        try:
            async with connect(hello, runner) as (link, begin):
                await runner.run(link, begin, firm=firm)
        finally:
            self._gave_up = runner.left
            self._runner = None

    def _drain(self) -> None:
        if self._beginning is not None and self._loop is not None:
            self._beginning.reschedule(self._loop.time())
        if self._runner is not None:
            self._runner.drain(program.DRAIN_SECONDS, hint=self._stopping or "")

    def _registration(self) -> Hello:
        hello = msgspec.structs.replace(
            self._hello,
            instance=identity.instance(secrets.token_hex(8), self._skills.values()),
            skills=[skill.spec() for skill in self._skills.values()],
        )
        size = len(encode(hello))
        if size > MOST_DECLARED:
            raise ConfigurationError(
                f"what the agent {self.name} declares has {size} bytes, over the limit of {MOST_DECLARED}: shorten the "
                "descriptions of its skills, or make two agents of it"
            )
        return hello

    def _tell(self, welcome: Welcome, log: logs.Log) -> None:
        if self._known:
            return
        self._known = True
        name = f"{welcome.owner}/{welcome.agent}"
        log.info("ready", name=name, instance=welcome.instance, skills=", ".join(self._skills))


def skills_of(agent: Agent) -> Mapping[str, Skill]:
    """Return the skills of an agent by name, as they are run."""
    return MappingProxyType(agent._skills)


async def serve_over(
    agent: Agent,
    connect: Connect,
    log: logs.Log,
    *,
    monotonic: Callable[[], float] = time.monotonic,
    firm: bool = False,
    outlet: Hearer | None = None,
) -> None:
    """Run an agent over a link, as `Agent.serve` does over that of its environment.

    Args:
        agent: what is served.
        connect: gives the link, which is left when the agent has ended.
        log: where to say what happens.
        monotonic: the clock that deadlines are measured with, in seconds.
        firm: see `Agent.serve`.
        outlet: where what its skills log goes; None: nowhere but to `log`.
    """
    agent._check_startable()
    agent._loop = asyncio.get_running_loop()
    try:
        async with AsyncExitStack() as stack:
            if await agent._begun(stack, log):
                await agent._serve(connect, log, monotonic, outlet, firm=firm)
        log.info("stopped")
    finally:
        agent._loop = None
        agent._stopping, agent._known = None, False


def _check_no_others(agent: str, others: list[str]) -> None:
    """Raise ConfigurationError for an option that there is not, with the nearest that there is."""
    if others:
        options = [name for name, one in inspect.signature(Agent).parameters.items() if one.kind is one.KEYWORD_ONLY]
        options += PauseOptions.__annotations__
        found = words.of_names([words.Unknown("", name, options) for name in others], [], "Agent")
        raise ConfigurationError(f"the agent {agent} is not declared well: {words.sentence(found)}")


def _declared(name: str, description: str, concurrency: int, labels: Mapping[str, str]) -> Hello:
    """Return the part of `hello` that is known at the declaration, checked as the router checks it."""
    given = {
        "protocol": PROTOCOL_VERSION,
        "instance": {"id": "none"},
        "skills": [],
        "concurrency": concurrency,
        "agent": name,
        "description": description,
        "labels": dict(labels),
    }
    try:
        return msgspec.convert(given, Hello)
    except msgspec.ValidationError as error:
        found = refusal(error, Hello, given)
        raise ConfigurationError(f"the agent {name} is not declared well: {found.sentence}") from None
