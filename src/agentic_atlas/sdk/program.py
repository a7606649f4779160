"""A program whose purpose is to run agents: signals, exit codes, and a loop that nothing in it ends early."""

import asyncio
import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NoReturn, Protocol

from agentic_atlas.errors import AtlasError, ConfigurationError
from agentic_atlas.sdk.loops import loop_factory, running_loop
from agentic_atlas.sdk.outlasting import outlasting
from agentic_atlas.sdk.runner.runner import DRAIN_SECONDS as DRAIN_SECONDS
from agentic_atlas.sdk.signals import stop_signals
from agentic_atlas.sdk.streams import complain, open_missing
from agentic_atlas.sdk.uncaught import EXIT_CONFIGURATION

EXIT_GAVE_UP: Final = 1
"""Exit code when tasks still ran at the end of the drain, and were given up."""
_LEAVE_SECONDS: Final = 15.0
"""How long the process may take to end after its drain is over, before it is ended."""
_HINT: Final = " (Ctrl-C or SIGTERM again ends it at once)"


class Served(Protocol):
    """An agent (`sdk.agent.Agent`)."""

    @property
    def name(self) -> str:
        """Its own."""

    @property
    def gave_up(self) -> list[str]:
        """Names of the skills that still ran when it last ended."""

    async def serve(self, *, firm: bool = False, named: bool = False) -> None:
        """Connect and run tasks until `stop` is called."""

    def stop(self, *, hint: str = "") -> None:
        """Ask `serve` to end."""


def run(*agents: Served) -> None:
    """Run agents in this process until it is told to stop (SIGINT, SIGTERM), then let tasks finish for up to 30 s.

    A second signal ends the process at once. When an agent cannot run at all, the others stop in the same way, one
    sentence on standard error names the fix and the exit code is 2; it is 1 when tasks were given up because they took
    longer than the 30 s.

    Raises:
        ConfigurationError: there are none, or one twice, or a loop is running here already.
    """
    _check(agents)
    open_missing()
    stop = partial(_stop, agents)
    try:
        with (
            stop_signals(stop, _end, patience=DRAIN_SECONDS + _LEAVE_SECONDS),
            asyncio.Runner(loop_factory=loop_factory()) as runner,
        ):
            _drive(runner.get_loop(), agents, stop)
    except AtlasError as error:
        complain(error.message)
        raise SystemExit(EXIT_CONFIGURATION) from None
    left = sorted({skill for agent in agents for skill in agent.gave_up})
    if left:
        complain(f"gave up what still ran after {DRAIN_SECONDS:g} s: {', '.join(left)}")
        raise SystemExit(EXIT_GAVE_UP)


def _check(agents: Sequence[Served]) -> None:
    if not agents:
        raise ConfigurationError("there is no agent to run: run(agent, …)")
    if len(set(map(id, agents))) < len(agents):
        raise ConfigurationError("an agent is named twice: one process is one instance of it")
    if running_loop() is not None:
        raise ConfigurationError("a loop is running here already: use `await agent.serve()` instead of agent.run()")


def _stop(agents: Sequence[Served]) -> None:
    for agent in agents:
        agent.stop(hint=_HINT)


def _drive(loop: asyncio.AbstractEventLoop, agents: Sequence[Served], stop: Callable[[], None]) -> None:
    """Run the loop until all agents have ended.

    Whatever runs on it can end it early: by stopping it, or by a task of its own that raises SystemExit. It is run on.
    """
    main = loop.create_task(_serve_all(agents), name="atlas-agents")
    while not main.done():
        try:
            loop.run_until_complete(main)
        except (SystemExit, KeyboardInterrupt, RuntimeError) as error:
            if main.done():
                break
            complain(f"something in a skill would have ended the agent ({type(error).__name__}: {error}): it goes on")
            if isinstance(error, KeyboardInterrupt):
                # A skill has put back the usual handler of Ctrl-C: whoever presses that wants to stop.
                stop()
    main.result()


async def _serve_all(agents: Sequence[Served]) -> None:
    """Serve agents until all have ended; when one has, the others stop. Raises the first error."""
    async with asyncio.TaskGroup() as group:
        serving = {
            group.create_task(_failure(agent, named=len(agents) > 1), name=f"agent {agent.name}"): agent
            for agent in agents
        }

        def stop_others(_: "asyncio.Task[BaseException | None]") -> None:
            for task, agent in serving.items():
                if not task.done():
                    agent.stop()

        for task in serving:
            task.add_done_callback(stop_others)
        failures = [await outlasting(task, _never) for task in serving]
    for failure in failures:
        if failure is not None:
            raise failure


async def _failure(agent: Served, *, named: bool) -> BaseException | None:
    """Serve an agent, and return what it fails with: the others are to end in their own time."""
    try:
        await agent.serve(firm=True, named=named)
    except AtlasError as error:
        return AtlasError(f"{agent.name}: {error.message}") if named else error
    except BaseException as error:  # noqa: BLE001 - of a lifespan, and raised when all agents have ended
        return error
    return None


def _never() -> bool:
    return False


def _end(code: int) -> NoReturn:
    """End the process here and now, whatever its skills do."""
    complain("ending at once")
    os._exit(code)
