"""A log for networks under test."""

from __future__ import annotations

import logging
from typing import cast

import structlog
from structlog.typing import Processor

from agentic_atlas.observe.logs import Log


def debug_log(*processors: Processor) -> Log:
    """Return a log at level debug, with no message traced; without processors `capture_logs` takes its lines."""
    kind = structlog.make_filtering_bound_logger(logging.DEBUG)
    return cast("Log", structlog.wrap_logger(None, processors=processors or None, wrapper_class=kind))
