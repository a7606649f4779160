"""`running`: agents on a thread with a loop of its own, for tests without a loop. All methods block."""

from collections.abc import Iterator
from concurrent.futures import wait
from contextlib import contextmanager

from agentic_atlas.errors import ConfigurationError
from agentic_atlas.protocol.caller.tasks import TaskInfo
from agentic_atlas.sdk.agent import Agent
from agentic_atlas.sdk.client.blocking import Blocking, LoopThread, blocking, each, handing
from agentic_atlas.testing.caller import AsyncCaller, AsyncTask, serving
from agentic_atlas.testing.loop import JumpingLoop
from agentic_atlas.testing.network import OVER

LEAVE_SECONDS = 15.0
"""How long skills may take to stop at the end of the block."""


@contextmanager
def running(*agents: Agent) -> Iterator["Caller"]:
    """Run agents in memory, and give a caller of the first one.

    They run on the thread of a loop whose time jumps: while the test waits for a task and nothing else goes on, the
    clock is put forward to whatever comes next, the end of a back-off, a timeout, `asyncio.sleep(3600)`. While the test
    does something else, a thread runs (a plain `def` skill, `asyncio.to_thread`), or a socket is open, time passes as
    it does elsewhere. Tasks that still run at the end of the block are cancelled.

    Raises:
        ConfigurationError: an agent has no skills or runs already, or two have the same name; or a skill did not stop.
        Exception: what a lifespan raises, as it is.
    """
    thread, served = LoopThread(OVER, JumpingLoop), serving(*agents)
    try:
        caller = thread.run(served.__aenter__())
    except BaseException:
        thread.stop(LEAVE_SECONDS)
        raise
    try:
        yield Caller(thread, caller)
    finally:
        left = thread.begin(served.__aexit__(None, None, None))
        wait([left], LEAVE_SECONDS)
        if not (left.done() and thread.stop(LEAVE_SECONDS)):
            hint = "a skill that catches CancelledError has to raise it again"
            raise ConfigurationError(f"the agents did not stop within {LEAVE_SECONDS:g} s: {hint}")
        left.result()


class Task(Blocking[AsyncTask]):
    """`AsyncTask`, each method blocking."""

    def __repr__(self) -> str:
        return repr(self._asynchronous)

    @property
    def id(self) -> str:
        """The task's id."""
        return self._asynchronous.id

    @property
    def info(self) -> TaskInfo:
        """The task as it is now."""
        return self._asynchronous.info

    result = blocking(AsyncTask.result)
    events = each(AsyncTask.events)
    question = blocking(AsyncTask.question)
    answer = blocking(AsyncTask.answer)
    cancel = blocking(AsyncTask.cancel)


class Caller(Blocking[AsyncCaller]):
    """`AsyncCaller`, each method blocking; the same arguments, answers and errors."""

    def of(self, agent: Agent | str) -> "Caller":
        """See `AsyncCaller.of`."""
        return Caller(self._loop, self._asynchronous.of(agent))

    call = blocking(AsyncCaller.call)
    stream = each(AsyncCaller.stream)
    submit = handing(Task, AsyncCaller.submit)
