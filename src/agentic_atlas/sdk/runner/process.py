"""Running one function in a fresh process, which can be ended at any moment and may crash without harm.

Start-up costs what importing the agent's module costs. Function, arguments and outcome are pickled, so the function
has to be importable and `agent.run()` has to stand under `if __name__ == "__main__":`.
"""

import multiprocessing
import multiprocessing.connection
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Final

from agentic_atlas.errors import AtlasError
from agentic_atlas.sdk.text import describe

NAME: Final = "atlas-skill"
"""Name of every such process, by which `Agent.run` knows that it must not start a second agent there."""
_EXIT_SECONDS: Final = 5.0
"""How long a process may take to end after it has given its outcome."""


class ProcessDied(AtlasError):
    """The process ended without an outcome, or its outcome cannot be carried over."""

    default_code = "process_died"


class ProcessCall:
    """One call of a function in a process of its own; `run` blocks, the rest is safe from other threads."""

    def __init__(self, function: Callable[..., Any], arguments: dict[str, object]) -> None:
        self._lock = threading.Lock()
        self._stopped = False
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._theirs: Connection[Any, Any] = theirs
        self._process = context.Process(target=_child, args=(theirs, function, arguments), name=NAME)

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
            self._process.join(_EXIT_SECONDS)
            self.kill()
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome[0]

    def terminate(self) -> None:
        """Ask the process to end (SIGTERM)."""
        with self._lock:
            self._stopped = True
            if self._process.is_alive():
                self._process.terminate()

    def kill(self) -> None:
        """End the process."""
        with self._lock:
            self._stopped = True
            if self._process.is_alive():
                self._process.kill()

    def _start(self) -> None:
        with self._lock:
            if self._stopped:
                raise ProcessDied("the process was stopped before it began")
            try:
                self._process.start()
            except (pickle.PicklingError, AttributeError, TypeError) as error:
                fix = "a process=True skill and its input have to be importable from a module"
                raise ProcessDied(f"it cannot be handed to a process ({describe(error)}): {fix}") from error
            # Ours alone from here on: when the process ends, reading ends.
            self._theirs.close()

    def _receive(self) -> tuple[object] | BaseException:
        try:
            received: tuple[object] | BaseException = self._ours.recv()
        except EOFError:
            self._process.join()
            return ProcessDied(f"the process died ({_reason(self._process.exitcode)})")
        except Exception as error:  # noqa: BLE001 - unpickling runs code of the user's types
            return ProcessDied(f"what it returned cannot be carried over: {describe(error)}")
        return received


def _reason(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"


def _child(connection: "Connection[Any, Any]", function: Callable[..., Any], arguments: dict[str, object]) -> None:
    # Ctrl-C reaches every process of a terminal; the agent decides what becomes of its tasks.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(connection,), daemon=True).start()
    try:
        outcome: tuple[object] | BaseException = (function(**arguments),)
    except BaseException as error:  # noqa: BLE001 - whatever the user's function raises goes to the agent
        error.add_note(f"in the skill's process:\n{traceback.format_exc()}")
        outcome = _carried(error)
    try:
        connection.send(outcome)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        connection.send(ProcessDied(f"what it returned cannot be carried over: {describe(error)}"))


def _carried(error: BaseException) -> BaseException:
    """Return the error itself if it survives the way, else one that says the same."""
    try:
        return pickle.loads(pickle.dumps(error))  # type: ignore[no-any-return]  # noqa: S301 - made a moment ago, here
    except Exception:  # noqa: BLE001 - pickling runs code of the user's types
        return ProcessDied(f"{type(error).__name__}: {describe(error)}")


def _end_with_parent(connection: "Connection[Any, Any]") -> None:
    try:
        connection.recv()
    except (EOFError, OSError):
        os._exit(1)
