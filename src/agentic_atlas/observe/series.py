"""Every series that Prometheus can read here, declared once: its name, how it moves, its labels and what it means.

Whoever tells of one names it by its declaration, so nothing is told that is not listed; the reference is made from it.
Labels have few values, whatever callers and agents do: words of ours, and of agents and skills the first so many.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from agentic_atlas.observe.histogram import Histogram


class SeriesKind(StrEnum):
    """How a series moves."""

    COUNTER = "counter"
    """It only ever grows, and begins at 0 with its process."""
    GAUGE = "gauge"
    """It is what is so at this moment."""
    HISTOGRAM = "histogram"
    """It counts how many there were up to each of some bounds, since its process began."""


@dataclass(frozen=True, slots=True)
class Series:
    """One name that is scraped.

    Attributes:
        name: as it is scraped; of a histogram, without `_bucket`, `_sum` and `_count`.
        kind: how it moves.
        meaning: what it counts.
        labels: what it is told apart by.
    """

    name: str
    kind: SeriesKind
    meaning: str
    labels: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        """What it is counted in, which its name says: `seconds`, `bytes`, or nothing for what is counted by number."""
        last = self.name.removesuffix("_total").rpartition("_")[2]
        return last if last in ("seconds", "bytes") else ""


class SeriesSample(NamedTuple):
    """What a series is at this moment, for these values of its labels."""

    series: Series
    value: "float | Histogram"
    labels: tuple[str, ...] = ()


def _counter(name: str, meaning: str, *labels: str) -> Series:
    return Series(name, SeriesKind.COUNTER, meaning, labels)


def _gauge(name: str, meaning: str, *labels: str) -> Series:
    return Series(name, SeriesKind.GAUGE, meaning, labels)


def _histogram(name: str, meaning: str, *labels: str) -> Series:
    return Series(name, SeriesKind.HISTOGRAM, meaning, labels)


# -- tasks

OPEN_TASKS: Final = _gauge("atlas_open_tasks", "Tasks that have not ended.", "state")
TASKS_ENDED: Final = _counter(
    "atlas_tasks_ended_total",
    "Tasks that ended, by their last state and the code of their error: empty without one, `other` for codes that "
    "are agents' own.",
    "state",
    "code",
)
TASK_QUEUE: Final = _histogram(
    "atlas_task_queue_seconds",
    "From a task's submit to the moment when its last attempt was given to an instance; of tasks that ended.",
    "agent",
    "skill",
)
TASK_RUN: Final = _histogram(
    "atlas_task_run_seconds",
    "From there to the task's end: the handler with all that it waited for, and the way there and back.",
    "agent",
    "skill",
)
TASK_WHOLE: Final = _histogram("atlas_task_seconds", "From a task's submit to its end.", "agent", "skill")
QUEUE_LONGEST: Final = _gauge("atlas_queue_longest", "Tasks that wait for the agent that most wait for.")
QUEUE_OLDEST: Final = _gauge("atlas_queue_oldest_seconds", "How long the oldest task has waited since its submit.")
QUEUES: Final = _gauge("atlas_queues", "Agents that tasks wait for.")
INSTANCES: Final = _gauge(
    "atlas_instances",
    "Connected instances, by why they are given no new tasks for now: `none` are given some.",
    "holdup",
)
SLOTS: Final = _gauge("atlas_slots", "Slots of connected instances: `used` or `free`.", "state")
EVENT_STREAMS: Final = _gauge(
    "atlas_event_streams",
    "Who follows something at this moment: the events of a `task`, all `changes`, or `logs`.",
    "of",
)

# -- connections of agents

CONNECTIONS: Final = _gauge(
    "atlas_connections",
    "Connections of agents: `silent` before `hello`, `registering` until they are let in, then `ready` or `draining`.",
    "state",
)
CONNECTIONS_ENDED: Final = _counter(
    "atlas_connections_ended_total", "Connections of agents that ended, by the reason of their close.", "reason"
)
HANDSHAKES_REFUSED: Final = _counter(
    "atlas_handshakes_refused_total", "Handshakes that were refused, by the code of the answer.", "code"
)
FRAMES: Final = _counter(
    "atlas_frames_total", "Messages between router and agents: `in` from agents, `out` to them.", "direction", "type"
)
FRAME_BYTES: Final = _counter("atlas_frame_bytes_total", "Bytes of these messages.", "direction")
LEASES: Final = _gauge(
    "atlas_leases", "Attempts that the router watches over: `held` by a connection, or `expiring` without one.", "state"
)

# -- HTTP

HTTP_REQUESTS: Final = _counter(
    "atlas_http_requests_total",
    "Requests that were answered, by the template of their route: empty where there is none.",
    "method",
    "route",
    "status",
)
HTTP_CONNECTIONS: Final = _gauge("atlas_http_connections", "Connections of the HTTP API and the pages.")

# -- the store

STORE_GROUP: Final = _histogram("atlas_store_group_operations", "Writes that shared a commit.")
STORE_GROUP_TIME: Final = _histogram(
    "atlas_store_group_seconds", "From the moment when a group was taken to the end of its commit."
)
STORE_COMMIT: Final = _histogram("atlas_store_commit_seconds", "How long a commit took: the disk.")
STORE_WAITING: Final = _gauge("atlas_store_writes_waiting", "Writes that wait for the next group.")
STORE_WRITE: Final = _histogram(
    "atlas_store_write_seconds", "From the moment when a write was asked for to its commit.", "operation"
)
STORE_READ: Final = _histogram(
    "atlas_store_read_seconds", "From the moment when a read was asked for to its answer.", "operation"
)
STORE_BYTES: Final = _gauge("atlas_store_bytes", "What the database takes on disk.")

# -- what is watched over

INVARIANTS_VIOLATED: Final = _gauge("atlas_invariants_violated", "Violations of an invariant at present.", "invariant")
INVARIANT_VIOLATIONS: Final = _counter(
    "atlas_invariant_violations_total", "Violations of an invariant since the start.", "invariant"
)
OLDEST_RESULT: Final = _gauge(
    "atlas_oldest_result_seconds", "For how long a connected agent has kept its oldest result."
)
TOKEN_EXPIRY: Final = _gauge(
    "atlas_token_expiry_seconds",
    "Time until the first of the tokens ends that agents are connected with; absent while none is.",
)
TOKENS_IN_USE: Final = _gauge(
    "atlas_tokens_in_use",
    "Tokens that agents are connected with: `expired` (what runs is finished), `within_1d`, `within_7d` or `later`, "
    "and whether their agents may renew them: `yes` or `no`.",
    "expires",
    "renewable",
)
AUDIT_ROWS: Final = _gauge("atlas_audit_rows", "Number of the audit log's last row.")
AUDIT_UNWRITTEN: Final = _gauge("atlas_audit_unwritten_rows", "Rows of the audit log that wait to be written.")
AUDIT_BROKEN: Final = _gauge(
    "atlas_audit_broken", "1 when the audit log was found broken since the start, which the log tells more of, else 0."
)

# -- logs of agents

LOG_LINES_KEPT: Final = _counter("atlas_log_lines_kept_total", "Lines of agents' logs that were kept.")
LOG_LINES_DROPPED: Final = _counter(
    "atlas_log_lines_dropped_total", "Lines that agents said they dropped, for want of room."
)
LOGS_REFUSED: Final = _gauge(
    "atlas_logs_refused", "1 while no line of agents' logs can be kept, which the server's log tells more of, else 0."
)

# -- the process

LOOP_LAG: Final = _histogram("atlas_loop_lag_seconds", "By how much a timer of the event loop was late.")
INFO: Final = _gauge("atlas_info", "1; what it is.", "version", "python")
PROCESS_CPU: Final = _counter("process_cpu_seconds_total", "Processor time of the process.")
PROCESS_MEMORY: Final = _gauge("process_resident_memory_bytes", "Memory of the process that is in RAM.")
PROCESS_FILES: Final = _gauge("process_open_fds", "Files and sockets that the process has open.")
PROCESS_MOST_FILES: Final = _gauge("process_max_fds", "How many it may have open.")
PROCESS_START: Final = _gauge("process_start_time_seconds", "When the process began, in seconds since 1970.")

# -- with names

AGENT_TOKEN_EXPIRY: Final = _gauge(
    "atlas_agent_token_expiry_seconds",
    "Time until the first of the tokens ends that the agent is connected with; below 0 while it finishes what it runs.",
    "agent",
    "renewable",
)

GROUPS: Final[Mapping[str, tuple[Series, ...]]] = {
    "Tasks": (
        *(OPEN_TASKS, TASKS_ENDED, TASK_QUEUE, TASK_RUN, TASK_WHOLE, QUEUES, QUEUE_LONGEST, QUEUE_OLDEST),
        *(INSTANCES, SLOTS, EVENT_STREAMS),
    ),
    "Agents' connections": (CONNECTIONS, CONNECTIONS_ENDED, HANDSHAKES_REFUSED, FRAMES, FRAME_BYTES, LEASES),
    "HTTP": (HTTP_REQUESTS, HTTP_CONNECTIONS),
    "The store": (*(STORE_GROUP, STORE_GROUP_TIME, STORE_COMMIT, STORE_WAITING, STORE_WRITE, STORE_READ, STORE_BYTES),),
    "Logs of agents": (LOG_LINES_KEPT, LOG_LINES_DROPPED, LOGS_REFUSED),
    "What is watched over": (
        *(INVARIANTS_VIOLATED, INVARIANT_VIOLATIONS, OLDEST_RESULT, TOKEN_EXPIRY, TOKENS_IN_USE),
        *(AUDIT_ROWS, AUDIT_UNWRITTEN, AUDIT_BROKEN),
    ),
    "The process": (*(LOOP_LAG, INFO, PROCESS_CPU, PROCESS_MEMORY, PROCESS_FILES, PROCESS_MOST_FILES, PROCESS_START),),
}
"""What `/metrics` tells, by what it is about."""

ALL: Final = tuple(one for group in GROUPS.values() for one in group)
"""The same, one after the other."""
WITH_NAMES: Final = (AGENT_TOKEN_EXPIRY,)
"""What `/metrics/agents` tells."""
