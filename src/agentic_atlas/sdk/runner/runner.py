"""The runner: what is delivered to this process, what of it runs, and what is refused.

All of it belongs to the agent's loop; what the link says on its own thread gets here through `LoopInbox`. There is one
entry for each attempt until the attempt's handler has returned, and an entry is a slot: no more than `concurrency` at
a time, the rest is refused as busy.
"""

import asyncio
import contextlib
import contextvars
import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import Final

from agentic_atlas.errors import AtlasError
from agentic_atlas.observe.logs import Log
from agentic_atlas.protocol.messages import (
    Accept,
    Answer,
    Cancel,
    Drain,
    Limits,
    Refuse,
    RefuseReason,
    Reply,
    Task,
    Welcome,
)
from agentic_atlas.sdk.forks import watch_for_copies
from agentic_atlas.sdk.lines.capture import Hearer
from agentic_atlas.sdk.lines.origin import CURRENT, Origin
from agentic_atlas.sdk.outlasting import outlasting
from agentic_atlas.sdk.ports import Incoming, ToLink, UnsaidQuestion
from agentic_atlas.sdk.runner.attempt import STOP_GRACE, Attempt, window
from agentic_atlas.sdk.runner.failures import canceled
from agentic_atlas.sdk.skills.calls import OutgoingCalls
from agentic_atlas.sdk.skills.context import AttemptServices
from agentic_atlas.sdk.skills.questions import Questions
from agentic_atlas.sdk.skills.reports import AttemptReports, TaskLog
from agentic_atlas.sdk.skills.skill import Skill
from agentic_atlas.sdk.skills.time_limit import ServerClock, TimeLimit

DRAIN_SECONDS: Final = 30.0
"""How long a stopping agent waits for what runs."""


class Runner:
    """Runs the attempts of one agent process; to be made on the loop it runs on.

    Attributes:
        clock: the server's, which deadlines are in.
        left: names of the skills that still ran when it ended, each once.
    """

    def __init__(
        self,
        skills: Mapping[str, Skill],
        *,
        concurrency: int,
        log: Log,
        on_connected: Callable[[Welcome], None] | None = None,
        stop_grace: float = STOP_GRACE,
        monotonic: Callable[[], float] = time.monotonic,
        outlet: Hearer | None = None,
    ) -> None:
        """Prepare; nothing runs before `run`.

        Args:
            skills: by name.
            concurrency: attempts that may run at the same time; those beyond are refused.
            log: the agent's own.
            on_connected: told each `welcome`, on the loop.
            stop_grace: seconds a handler may take to stop.
            monotonic: a clock that never goes back, in seconds.
            outlet: where what skills log goes; None: nowhere.
        """
        self._skills = skills
        self._concurrency = concurrency
        self._log = log
        self._on_connected = on_connected
        self._grace = stop_grace
        self._outlet = outlet
        self.clock = ServerClock(monotonic)
        self._limits = Limits()
        self._loop = asyncio.get_running_loop()
        self._attempts: dict[tuple[str, int], Attempt] = {}
        self._draining = False
        self.left: list[str] = []
        # Why it is over, once it is: None when that was asked for.
        self._over: asyncio.Future[AtlasError | None] = self._loop.create_future()
        # From `run` on; nothing is delivered before.
        self._begun = False
        # The variables of the program and its lifespan, from `run` on.
        self._context = contextvars.copy_context()
        self._link: ToLink
        self._calls: OutgoingCalls
        self._group: asyncio.TaskGroup

    async def run(self, link: ToLink, begin: Callable[[], None], *, firm: bool = False) -> None:
        """Run what is delivered until the agent is drained or the link has ended; `begin` opens the link.

        Handlers that still run then are left without a result: their tasks are delivered again, or known to be lost.
        When `firm`, a cancellation does not end it: it was some handler's, which cancels all tasks of the loop.

        Raises:
            AtlasError: the link ended for good; the message says what to do.
        """
        self._link, self._calls, self._begun = link, OutgoingCalls(link), True
        self._context = contextvars.copy_context()
        watch_for_copies(self._loop)
        async with asyncio.TaskGroup() as group:
            self._group = group
            begin()
            try:
                error = await outlasting(self._over, lambda: not firm)
            finally:
                self._leave()
        if error is not None:
            raise error

    def drain(self, seconds: float = DRAIN_SECONDS, *, hint: str = "") -> None:
        """Take no more tasks, and let `run` return when what runs has ended, or after `seconds` at the latest.

        `hint` is added to the line that says so.
        """
        if self._draining:
            return
        self._draining = True
        if self._attempts:
            line = f"stopping: no new tasks, and what runs may finish{hint}"
            self._log.info("stopping", message=line, running=self.running, seconds=seconds)
        else:
            self._log.info("stopping", message=f"stopping: nothing runs{hint}")
        if self._begun:
            self._link.post(Drain())
        self._loop.call_later(seconds, self.finish, None)
        self._end_if_drained()

    @property
    def running(self) -> list[str]:
        """Names of the skills whose handlers have not returned yet, one for each attempt."""
        return [attempt.skill.name for attempt in self._attempts.values()]

    @property
    def attempts(self) -> frozenset[tuple[str, int]]:
        """What runs, as task and attempt. From any thread: a copy is made in one step of the interpreter."""
        return frozenset(self._attempts)

    def on_loop(self, skill: str) -> bool:
        """Tell whether a skill of this name runs on the loop itself, and so may block it. From any thread."""
        declared = self._skills.get(skill)
        return declared is not None and declared.kind.on_loop

    # -- what the router says (see `LoopInbox`)

    def take(self, message: Incoming) -> None:
        """Take a message of the router's: a task is accepted or refused at once."""
        match message:
            case Task():
                self._offer(message)
            case Cancel():
                attempt = self._attempts.get((message.task, message.attempt))
                if attempt is not None:
                    attempt.stop(canceled(message.reason))
            case Reply():
                self._calls.reply(message)
            case Answer() | UnsaidQuestion():
                attempt = self._attempts.get((message.task, message.attempt))
                if attempt is not None:
                    attempt.answered(message)

    def drop(self, task: str, attempt: int) -> None:
        """Stop an attempt that is not ours any more; nothing more is said of it."""
        running = self._attempts.get((task, attempt))
        if running is not None:
            running.drop()

    def acknowledged(self, task: str, attempt: int, pending: int) -> None:
        """All events of the attempt but `pending` are stored: there is room for more."""
        running = self._attempts.get((task, attempt))
        if running is not None:
            running.acknowledged(pending)

    def welcomed(self, welcome: Welcome) -> None:
        """Take the limits of a connection; attempts that run keep those they began with."""
        self._limits = welcome.limits
        if self._on_connected is not None:
            self._on_connected(welcome)

    def pong(self, token: object) -> None:
        """Answer a ping: the loop got to it."""
        self._link.pong(token)

    def finish(self, error: AtlasError | None) -> None:
        """Let `run` end, with this error if there is one."""
        if not self._over.done():
            self._over.set_result(error)

    # -- inside

    def _offer(self, task: Task) -> None:
        key = (task.task, task.attempt)
        if key in self._attempts:
            return
        reason = self._refusal(task)
        if reason is not None:
            self._link.post(Refuse(*key, reason))
            self._log.debug("task_refused", reason=str(reason), skill=task.skill, task=task.task, attempt=task.attempt)
            return
        attempt = self._attempts[key] = Attempt(
            self._skills[task.skill],
            task,
            self._services,
            self._link,
            self._log,
            clock=self.clock,
            limits=self._limits,
            grace=self._grace,
        )
        self._link.post(Accept(*key))
        self._log.info("task_received", **attempt.names)
        self._begin(attempt)

    def _begin(self, attempt: Attempt) -> None:
        """Run an attempt in a copy of the program's context: what is delivered comes from the link's thread."""
        running, context = self._run(attempt), self._context.copy()
        origin = Origin(attempt.task, self._outlet, home=threading.get_ident())
        context.run(CURRENT.set, origin)
        try:
            body = self._group.create_task(running, name=f"skill {attempt.skill.name}", context=context)
        except BaseException as error:  # noqa: BLE001 - handlers can change the loop they run on, its tasks too
            running.close()
            self._log.error("fault", exc_info=error)
            self._ended(attempt, origin)
            return
        # Not in `_run`: a task that is cancelled before its first step never gets there.
        body.add_done_callback(lambda _: self._ended(attempt, origin))

    def _refusal(self, task: Task) -> RefuseReason | None:
        if self._draining or self._over.done():
            return RefuseReason.DRAINING
        if task.skill not in self._skills:
            return RefuseReason.UNKNOWN_SKILL
        return RefuseReason.BUSY if len(self._attempts) >= self._concurrency else None

    def _services(self, attempt: Attempt, limit: TimeLimit) -> AttemptServices:
        """Return what an attempt works with whose skill asks for more than its input."""
        task, limits = attempt.task, attempt.limits
        reports = AttemptReports(task, self._link, limits, window=window(limits, self._concurrency))
        return AttemptServices(
            task=task,
            reports=reports,
            calls=self._calls,
            clock=self.clock,
            limits=limits,
            log=TaskLog(reports, task, self._outlet, self._log, attempt.names),
            loop=self._loop,
            limit=limit,
            questions=Questions(task, reports, limits, limit),
            cancelled=threading.Event(),
        )

    async def _run(self, attempt: Attempt) -> None:
        try:
            await attempt.run()
        except BaseException as bug:  # noqa: BLE001 - one attempt must not take the others with it
            self._log.error("fault", exc_info=bug)

    def _ended(self, attempt: Attempt, origin: Origin) -> None:
        attempt.close()
        origin.over = True
        del self._attempts[attempt.key]
        self._end_if_drained()

    def _end_if_drained(self) -> None:
        if self._draining and not self._attempts:
            self.finish(None)

    def _leave(self) -> None:
        self.left = sorted(set(self.running))
        if self.left:
            self._log.warning("skills_left", skills=self.left)
        for attempt in self._attempts.values():
            attempt.leave()


class LoopInbox:
    """`ports.Inbox` for a runner; safe from any thread, also when the runner's loop is closed already."""

    def __init__(self, runner: Runner, loop: asyncio.AbstractEventLoop) -> None:
        self._runner = runner
        self._loop = loop

    def deliver(self, message: Incoming) -> None:
        """Take a message of the router's."""
        self._hop(self._runner.take, message)

    def drop(self, task: str, attempt: int) -> None:
        """Stop an attempt that is not ours any more."""
        self._hop(self._runner.drop, task, attempt)

    def connected(self, welcome: Welcome) -> None:
        """Take the limits and the clock of a connection; the clock at once, for the loop may be late."""
        self._runner.clock.set(welcome.now)
        self._hop(self._runner.welcomed, welcome)

    def ended(self, error: AtlasError | None) -> None:
        """Let the runner end: nothing can be said any more."""
        self._hop(self._runner.finish, error)

    def attempts(self) -> Collection[tuple[str, int]]:
        """Return what runs."""
        return self._runner.attempts

    def ping(self, token: object) -> None:
        """Have the ping answered from the loop, as soon as it gets to it."""
        self._hop(self._runner.pong, token)

    def acknowledged(self, task: str, attempt: int, pending: int) -> None:
        """All events of the attempt but `pending` are stored: there is room for more."""
        self._hop(self._runner.acknowledged, task, attempt, pending)

    def _hop(self, action: Callable[..., None], *arguments: object) -> None:
        # RuntimeError: the loop is closed, the agent is over, and there is nobody any more to tell.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(action, *arguments)
