"""Running one function in a fresh process, which can be ended at any moment and may crash without harm.

Start-up costs what importing the agent's module costs. Function, arguments and outcome are pickled, so the function
has to be importable and `agent.run()` has to stand under `if __name__ == "__main__":`.

Only the agent decides when the process ends: it is in a session of its own, out of reach of what is sent to the agent's
group, and takes no notice of SIGTERM and SIGINT until the agent has asked it to end (a service manager signals each
process of a service). When it is ended or has died, so is all that it started.
"""

import contextlib
import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from types import FrameType
from typing import Final

from agentic_atlas.errors import AtlasError
from agentic_atlas.protocol.messages import LogLine
from agentic_atlas.sdk.lines.capture import Wanted, captured
from agentic_atlas.sdk.lines.line import fitting
from agentic_atlas.sdk.text import describe

NAME: Final = "atlas-skill"
"""Name of every such process, by which `Agent.run` knows that it must not start a second agent there."""
_EXIT_SECONDS: Final = 5.0
"""How long a process may take to end after it has given its outcome."""
_LOOK_EVERY: Final = 0.2
"""Seconds between two looks whether the process is still there: the end of a pipe does not tell, for what a process has
forked may hold it open. `Process.sentinel` is such a pipe too."""
_NOTICE_EVERY: Final = 1.0
"""Seconds between two looks of the process whether its agent is still there."""
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class ProcessDied(AtlasError):
    """The process ended without an outcome, or its outcome cannot be carried over."""

    default_code = "process_died"


class ProcessCall:
    """One call of a function in a process of its own; `run` blocks, the rest is safe from other threads."""

    def __init__(
        self,
        function: Callable[..., object],
        arguments: dict[str, object],
        hearing: tuple[Wanted, Callable[[LogLine], None]] | None = None,
    ) -> None:
        """Prepare; `hearing` is what of its log is wanted, and who is told each line."""
        wanted: Wanted | None = None
        self._tell: Callable[[LogLine], None] = _nobody
        if hearing is not None:
            wanted, self._tell = hearing
        self._lock = threading.Lock()
        self._stopped = self._to_be_ended = False
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._theirs: Connection[object, object] = theirs
        self._process = context.Process(target=_child, args=(theirs, function, arguments, wanted), name=NAME)

    def run(self) -> object:
        """Start the process and return what the function returns, or raise what it raises.

        Raises:
            ProcessDied: the process ended without saying anything, for instance by a signal.
        """
        with self._ours:
            try:
                self._start()
                outcome = self._receive()
            finally:
                self._theirs.close()
            self._wait()
            self.kill()
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome[0]

    def terminate(self) -> None:
        """Ask the process to end."""
        with self._lock:
            self._stopped = True
            if self._process.is_alive():
                self._to_be_ended = True
                # OSError: it has ended in this moment.
                with contextlib.suppress(OSError):
                    self._ours.send(None)

    def kill(self) -> None:
        """End the process, and all that it has started, unless it has ended by itself."""
        with self._lock:
            self._stopped = True
            alive = self._process.is_alive()
            if alive or self._to_be_ended:
                self._end_group()
            if alive:
                self._process.kill()

    def _start(self) -> None:
        with self._lock:
            if self._stopped:
                raise ProcessDied("the process was stopped before it began")
            try:
                with _signals_held_back():
                    self._process.start()
            except (pickle.PicklingError, AttributeError, TypeError) as error:
                fix = "a process=True skill and its input have to be importable from a module"
                raise ProcessDied(f"it cannot be handed to a process ({describe(error)}): {fix}") from error
            # Ours alone from here on: when the process ends, reading ends.
            self._theirs.close()

    def _end_group(self) -> None:
        """End all that the process has started, if it has come as far as to have a group; that outlives it."""
        self._to_be_ended = False
        if hasattr(os, "killpg") and self._process.pid is not None:
            with contextlib.suppress(OSError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _wait(self) -> None:
        """Wait until the process has ended; what it has forked may keep `join` from noticing."""
        for _ in range(round(_EXIT_SECONDS / _LOOK_EVERY)):
            if not self._process.is_alive():
                return
            self._process.join(_LOOK_EVERY)

    def _receive(self) -> tuple[object] | BaseException:
        try:
            while isinstance(received := self._next(), LogLine):
                self._tell(received)
        except (EOFError, ConnectionError):
            self._wait()
            return self._died()
        except Exception as error:  # noqa: BLE001 - unpickling runs code of the user's types
            return ProcessDied(f"what it returned cannot be carried over: {describe(error)}")
        return self._died() if received is None else received

    def _next(self) -> LogLine | tuple[object] | BaseException | None:
        """Return what the process says next; None when it is gone."""
        while not self._ours.poll(_LOOK_EVERY):
            if not self._process.is_alive() and not self._ours.poll():
                return None
        said: LogLine | tuple[object] | BaseException = self._ours.recv()
        return said

    def _died(self) -> ProcessDied:
        self._end_group()
        return ProcessDied(f"the process died ({_reason(self._process.exitcode)})")


def _reason(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"


@contextlib.contextmanager
def _signals_held_back() -> Iterator[None]:
    """Have a process that starts meanwhile begin with these signals held back, until it can take them as it should."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # A helper of the whole program's, which starts with the first process and would let them through for this thread.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _nobody(_: LogLine) -> None:
    pass


class _LinesToAgent:
    """Says each log line of the process to its agent (`capture.Hearer`)."""

    def __init__(self, connection: "Connection[object, object]") -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._process = os.getpid()

    @property
    def copied(self) -> bool:
        """Whether the skill has forked: whose line of the connection that is, is not known there."""
        return os.getpid() != self._process

    def tell(self, line: LogLine) -> None:
        """Say a line; when the agent is gone, there is nobody to say it to."""
        if not self.copied:
            with self._lock, contextlib.suppress(OSError):
                self._connection.send(fitting(line)[0])

    def end(self, outcome: tuple[object] | BaseException) -> None:
        """Say how it ended, after all lines."""
        with self._lock:
            try:
                self._connection.send(outcome)
            except Exception as error:  # noqa: BLE001 - pickling runs code of the user's types
                self._connection.send(ProcessDied(f"what it returned cannot be carried over: {describe(error)}"))


def _child(
    connection: "Connection[object, object]",
    function: Callable[..., object],
    arguments: dict[str, object],
    wanted: Wanted | None,
) -> None:
    _stand_alone(connection)
    threading.Thread(target=_end_when_told, args=(connection,), daemon=True).start()
    to_agent = _LinesToAgent(connection)
    with contextlib.nullcontext() if wanted is None else captured(to_agent, wanted):
        try:
            outcome: tuple[object] | BaseException = (function(**arguments),)
        except BaseException as error:  # noqa: BLE001 - whatever the user's function raises goes to the agent
            error.add_note(f"in the skill's process:\n{traceback.format_exc()}")
            outcome = _carried(error)
    to_agent.end(outcome)


def _stand_alone(connection: "Connection[object, object]") -> None:
    """Leave the agent's group and terminal, and ignore what is sent to all processes of a service."""
    if hasattr(os, "setsid"):
        with contextlib.suppress(OSError):
            os.setsid()
    for number in _SIGNALS:
        # A handler that does nothing: signals that are ignored would be ignored by all that is started here, too.
        signal.signal(number, _not_now)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    if hasattr(os, "register_at_fork"):
        # What is forked here is not to hold the agent's line.
        os.register_at_fork(after_in_child=connection.close)


def _not_now(_number: int, _frame: FrameType | None) -> None:
    pass


def _carried(error: BaseException) -> BaseException:
    """Return the error itself if it survives the way, else one that says the same."""
    try:
        return pickle.loads(pickle.dumps(error))  # type: ignore[no-any-return]  # noqa: S301 - made a moment ago, here
    except Exception:  # noqa: BLE001 - pickling runs code of the user's types
        return ProcessDied(f"{type(error).__name__}: {describe(error)}")


def _end_when_told(connection: "Connection[object, object]") -> None:
    """Wait until the agent asks this process to end, or is gone."""
    agent = os.getppid()
    try:
        while not connection.poll(_NOTICE_EVERY):
            if os.getppid() != agent:
                _end_all()
        connection.recv()
    except (EOFError, OSError):
        _end_all()
    if signal.getsignal(signal.SIGTERM) is _not_now:
        _end_all()
    # The function has a handler of its own, and some time to clear up before it is killed.
    os.kill(os.getpid(), signal.SIGTERM)


def _end_all() -> None:
    """End this process and all that it has started."""
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
