"""The schema: what the migrations lead to, and what the queries are written against.

Only types that both databases pass through unchanged are used, so that compiled statements need no conversion of each
value. Ids sort by the time of their making: "newest first" is an index on an id. Payloads come last in their row:
SQLite then reads the columns before them without touching the pages that a long payload spills to.
"""

from sqlalchemy import (
    DDL,
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    and_,
    event,
    literal_column,
    text,
)

from agentic_atlas.backend.domain.resources import COUNTS, SpanFigures
from agentic_atlas.protocol.tasks import LEASED, TaskState

metadata = MetaData()

_EMPTY = text("''")
_NO = text("0")

# States stand in the text of a statement, never among its parameters: only so can a database see that a query asks
# for no more than a partial index holds.
HELD = tuple(literal_column(f"'{state}'", Text) for state in sorted(LEASED))
RESTING = {state: literal_column(f"'{state}'", Text) for state in sorted(set(TaskState) - LEASED)}
"""States in which a task stays for longer than an attempt takes."""
SUBMITTED = RESTING[TaskState.SUBMITTED]

network = Table(
    "network",
    metadata,
    Column("id", Text, primary_key=True),
    Column("created_at", Double, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("disabled_at", Double),
    Index("users_by_name", "name", unique=True),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),
    Column("revoked_at", Double),
    Column("scopes", Text, nullable=False, server_default="*"),
    Column("prefix", Text, nullable=False, server_default=_EMPTY),
    Column("last_used_at", Double),
    Column("last_address", Text, nullable=False, server_default=_EMPTY),
    Column("from_login", Integer, nullable=False, server_default=_NO),
    Column("made_by", Text, nullable=False, server_default=_EMPTY),
    Index("api_keys_by_digest", "digest", unique=True),
    Index("api_keys_of_user", "user_id"),
)

accounts = Table(
    "accounts",
    metadata,
    Column("user_id", Text, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("password", Text, nullable=False),
    Column("password_at", Double),
    Column("totp", Text, nullable=False),
    Column("totp_at", Double),
    Column("totp_step", Integer, nullable=False),
    Column("recovery", LargeBinary, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("device", LargeBinary, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("used_at", Double, nullable=False),
    Column("ends_at", Double, nullable=False),
    Column("ended_at", Double),
    Column("address", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Index("sessions_by_digest", "digest", unique=True),
    Index("sessions_of_user", "user_id", "used_at"),
)

invitations = Table(
    "invitations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("used_at", Double),
    Column("revoked_at", Double),
    Index("invitations_by_digest", "digest", unique=True),
    Index("invitations_of_user", "user_id"),
)

identities = Table(
    "identities",
    metadata,
    Column("issuer", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("user_id", Text, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("linked_at", Double, nullable=False),
    Index("identities_of_user", "user_id"),
)

agents = Table(
    "agents",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner_id", Text, ForeignKey("users.id"), nullable=False),
    Column("owner", Text, nullable=False),
    Column("name", Text, nullable=False),
    # owner/name, kept because it is the order of the list and the cursor in it
    Column("full_name", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("description", Text, nullable=False),
    Column("disabled_at", Double),
    Column("last_seen_at", Double),
    Index("agents_by_name", "full_name", unique=True),
    Index("agents_of_owner", "owner_id", "full_name"),
)

# Of an agent and whom it is shared with: `user:ID`, `group:ID` or `everyone`.
agent_shares = Table(
    "agent_shares",
    metadata,
    Column("agent_id", Text, ForeignKey("agents.id", ondelete="CASCADE"), primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("access", Text, nullable=False),
    Index("agent_shares_by_subject", "subject", "agent_id"),
)

groups = Table(
    "groups",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Index("groups_by_name", "name", unique=True),
)

group_members = Table(
    "group_members",
    metadata,
    Column("group_id", Text, ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", Text, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Index("groups_of_user", "user_id", "group_id"),
)

skills = Table(
    "skills",
    metadata,
    Column("agent_id", Text, ForeignKey("agents.id", ondelete="CASCADE"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("description", Text, nullable=False),
    Column("input_schema", LargeBinary, nullable=False),
    Column("output_schema", LargeBinary, nullable=False),
    Column("policy", LargeBinary, nullable=False),
    Column("streams", Integer, nullable=False),
    Column("updated_at", Double, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Text, primary_key=True),
    Column("agent_id", Text, ForeignKey("agents.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("issued_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("revoked_at", Double),
    Column("last_used_at", Double),
    Column("scopes", Text, nullable=False, server_default="agent:connect agent:call"),
    Column("lineage", Text, nullable=False, server_default=_EMPTY),
    Column("lifetime", Double),
    Column("renewable_until", Double),
    Column("retires_at", Double),
    Column("last_instance", Text, nullable=False, server_default=_EMPTY),
    Column("last_host", Text, nullable=False, server_default=_EMPTY),
    Column("last_address", Text, nullable=False, server_default=_EMPTY),
    Column("former_names", Text, nullable=False, server_default=_EMPTY),
    Column("key_id", Text, nullable=False, server_default=_EMPTY),
    Column("earlier_keys", Text, nullable=False, server_default=_EMPTY),
    Column("withdrawn", Integer, nullable=False, server_default=text("0")),
    Column("made_by", Text, nullable=False, server_default=_EMPTY),
    Column("by_share", Integer, nullable=False, server_default=text("0")),
    Column("description", Text, nullable=False, server_default=_EMPTY),
    Index("tokens_of_agent", "agent_id"),
    Index("tokens_by_end", "expires_at"),
    Index("tokens_of_lineage", "lineage"),
    Index("tokens_of_maker", "made_by"),
)

instances = Table(
    "instances",
    metadata,
    Column("id", Text, primary_key=True),
    Column("agent_id", Text, ForeignKey("agents.id", ondelete="CASCADE"), nullable=False),
    Column("token_id", Text, ForeignKey("tokens.id", ondelete="CASCADE"), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("opened_at", Double, nullable=False),
    Column("validated_at", Double, nullable=False),
    Column("connected_at", Double, nullable=False),
    Column("disconnected_at", Double),
    Column("host", Text, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("sdk", Text, nullable=False),
    Column("runtime", Text, nullable=False),
    Column("code_hash", Text, nullable=False),
    Column("concurrency", Integer, nullable=False),
    Column("labels", LargeBinary, nullable=False),
    Column("lineage", Text, nullable=False, server_default=_EMPTY),
    Column("address", Text, nullable=False, server_default=_EMPTY),
    Index("instances_of_agent", "agent_id"),
    Index("instances_of_token", "token_id"),
)

tasks = Table(
    "tasks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("agent_id", Text, nullable=False),  # no foreign key: tasks outlive their agent
    Column("agent", Text, nullable=False),
    Column("skill", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("caller_kind", Text, nullable=False),
    Column("caller_id", Text, nullable=False),
    Column("caller_user_id", Text, nullable=False),
    Column("caller_name", Text, nullable=False),
    Column("owner_id", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("trace", Text, nullable=False),
    Column("delivery", Text, nullable=False),
    Column("max_attempts", Integer, nullable=False),
    Column("retries", Integer, nullable=False),
    Column("backoff", Double, nullable=False),
    Column("timeout", Double),
    Column("deadline", Double),
    Column("queue_expires_at", Double),
    Column("priority", Integer, nullable=False),
    Column("position", Double, nullable=False),
    Column("parent_id", Text),
    Column("depth", Integer, nullable=False),
    Column("idempotency_key", Text),
    Column("body_digest", LargeBinary),
    Column("retry_of", Text),
    Column("attempt", Integer, nullable=False),
    Column("instance_id", Text),
    Column("accepted_at", Double),
    Column("last_n", Integer, nullable=False),
    Column("losses", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("not_before", Double),
    Column("cancel_reason", Text),
    Column("cancel_at", Double),
    Column("last_seq", Integer, nullable=False),
    Column("ended_at", Double),
    Column("trace_id", Text, nullable=False),
    Column("error_code", Text),
    Column("error_message", Text),
    Column("error_detail", LargeBinary),
    Column("output", LargeBinary),
    Column("input", LargeBinary, nullable=False),
    Column("dialogue", LargeBinary),  # questions and their answers, as JSON
)


def _partial(name: str, *columns: object, where: object, unique: bool = False) -> Index:
    return Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)  # type: ignore[arg-type]


_partial("instances_connected", instances.c.agent_id, where=instances.c.disconnected_at.is_(None))
_c = tasks.c
_partial("tasks_waiting", _c.agent_id, _c.priority.desc(), _c.position, _c.id, where=_c.state == SUBMITTED)
_partial("tasks_held", _c.instance_id, where=_c.state.in_(HELD))
_partial("tasks_of_parent", _c.parent_id, _c.id, where=_c.parent_id.is_not(None))
_partial(
    "tasks_by_key",
    _c.caller_user_id,
    _c.caller_kind,
    _c.caller_id,
    _c.idempotency_key,
    where=_c.idempotency_key.is_not(None),
    unique=True,
)
# What lists are narrowed by (see `lists`), for everybody, for who owns the task, and for its agent. Of states there are
# only those that last: a task that is given away at once is entered there once, at its end, and not moved at each step;
# those that are held are no more than there are slots.
# With the skill behind the id, for it never changes: who looks for one among all that is their own walks over no row.
Index("tasks_of_owner", _c.owner_id, _c.id, _c.skill)
Index("tasks_of_agent", _c.agent_id, _c.id)
Index("tasks_of_trace", _c.trace_id, _c.id)
Index("tasks_of_caller", _c.caller_id, _c.id)
Index("tasks_of_skill", _c.skill, _c.id)
Index("tasks_of_agent_and_skill", _c.agent_id, _c.skill, _c.id)
_failed = _c.error_code.is_not(None)
_partial("tasks_with_error", _c.error_code, _c.id, where=_failed)
_partial("tasks_of_owner_with_error", _c.owner_id, _c.error_code, _c.id, where=_failed)
_partial("tasks_of_agent_with_error", _c.agent_id, _c.error_code, _c.id, where=_failed)
# Said as what they are not, for a list of words would be made into a table each time.
UNHELD = tuple(_c.state != state for state in HELD)
_resting = and_(*UNHELD)
_partial("tasks_by_end", _c.ended_at, where=_c.ended_at.is_not(None))
_partial("tasks_in_state", _c.state, _c.id, where=_resting)
_partial("tasks_of_owner_in_state", _c.owner_id, _c.state, _c.id, where=_resting)
_partial("tasks_of_agent_in_state", _c.agent_id, _c.state, _c.id, where=_resting)

events = Table(
    "events",
    metadata,
    Column("task_id", Text, ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False),
    Column("kind", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
    # one tree instead of a table and its index: a task's events lie together
    sqlite_with_rowid=False,
)

# What ended in a minute, an hour or a day, of everybody, of each agent, and in the name of each user; see
# `domain.statistics.Summary`, whose counts are kept as JSON.
statistics = Table(
    "statistics",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("span", Integer, primary_key=True, autoincrement=False),
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("tasks", Integer, nullable=False),
    Column("times", LargeBinary, nullable=False),
    Column("busiest", LargeBinary, nullable=False),
    Index("statistics_by_start", "span", "start"),
    sqlite_with_rowid=False,
)

# What instances took in a minute or an hour; see `domain.resources.SpanFigures`.
resources = Table(
    "resources",
    metadata,
    Column("span", Integer, primary_key=True, autoincrement=False),
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("agent_id", Text, primary_key=True),
    Column("instance_id", Text, primary_key=True),
    *(
        Column(name, BigInteger if name in COUNTS else Double, nullable=name in ("gpu", "battery"))
        for name in SpanFigures._fields
    ),
    sqlite_with_rowid=False,
)

audit = Table(
    "audit",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False),
    *(Column(name, Text, nullable=False) for name in ("who_kind", "who_id", "who_user_id", "who_name")),
    Column("action", Text, nullable=False),
    *(Column(name, Text, nullable=False) for name in ("object_kind", "object_id", "object_name")),
    Column("outcome", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("detail", LargeBinary, nullable=False),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
    # Of one value the rows are in the order of their numbers: the newest are found without a look at others.
    *(
        Index(f"audit_by_{name}", name)
        for name in ("at", "who_id", "who_user_id", "who_name", "action", "object_id", "object_name", "address")
    ),
)

audit_archives = Table(
    "audit_archives",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("hash", Text, nullable=False),
)

for _trigger in (
    "CREATE TRIGGER audit_unchanged BEFORE UPDATE ON audit "
    "BEGIN SELECT RAISE(ABORT, 'the audit log is only ever added to'); END",
    "CREATE TRIGGER audit_undeleted BEFORE DELETE ON audit "
    "WHEN OLD.seq > (SELECT coalesce(max(seq), 0) FROM audit_archives) "
    "BEGIN SELECT RAISE(ABORT, 'the audit log is only ever added to'); END",
    # A row in the place of another one would be removed without a word to the trigger before.
    "CREATE TRIGGER audit_in_order BEFORE INSERT ON audit "
    "WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM audit) "
    "BEGIN SELECT RAISE(ABORT, 'the audit log is only ever added to'); END",
):
    event.listen(audit, "after_create", DDL(_trigger).execute_if(dialect="sqlite"))  # type: ignore[no-untyped-call]  # of the library
