"""Work in a process that the system kills at a moment of its own, in whatever step the work is."""

from __future__ import annotations

import os
import signal
import traceback
import warnings
from collections.abc import Callable


def killed_within(seconds: float, work: Callable[[], object]) -> bool:
    """Do the work in a child process that is killed after so many seconds; False: it was done before.

    The alarm's default action ends a process like SIGKILL does: nothing of it runs any more.
    """
    with warnings.catch_warnings():
        # The child touches nothing but the work's own files; a lock held by another thread of this process is not one.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _work(seconds, work)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGALRM
        return True
    assert os.WEXITSTATUS(status) == 0, "the work went wrong by itself; see what it printed"
    return False


def _work(seconds: float, work: Callable[[], object]) -> None:
    code = 1
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-6))
        work()
        code = 0
    except BaseException:  # noqa: BLE001  # whatever it is, this process must not go on with the tests
        traceback.print_exc()
    finally:
        os._exit(code)
