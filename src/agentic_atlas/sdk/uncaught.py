"""An agent that is declared wrongly says so in a sentence, also when the file is run by `python agent.py`."""

import sys
from types import TracebackType
from typing import Final

from agentic_atlas.errors import ConfigurationError
from agentic_atlas.sdk.streams import complain

EXIT_CONFIGURATION: Final = 2
"""Exit code when the agent cannot run as it is configured: its token, an address, a setting, a declaration."""


def told_in_a_sentence() -> None:
    """From now on, a ConfigurationError that nobody catches is its message, with exit code 2 and without a traceback.

    Its message names file, line and fix already. What the program has set for uncaught errors itself stays as it is.
    """
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = _tell


def _tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not isinstance(error, ConfigurationError):
        sys.__excepthook__(kind, error, trace)
        return
    complain(error.message)
    raise SystemExit(EXIT_CONFIGURATION)
