"""What a credential is good for, and what somebody sees."""

import re

import pytest
from msgspec.structs import replace

from agentic_atlas.auth import AGENT_SCOPES, Scope
from agentic_atlas.backend.domain.records import AccessLevel, AgentRecord, ApiKey, CallerRef, Role, Share, User
from agentic_atlas.backend.rights import (
    RIGHT_OF,
    AgentToken,
    BrowserSession,
    Credential,
    Principal,
    Right,
    Tie,
    Visible,
    require,
    require_call,
    seen_by,
    to_give,
)
from agentic_atlas.errors import AtlasError, Forbidden, InvalidInput, Unauthenticated

ADA = User("usr_ada", "ada", Role.MEMBER, 0.0)
ROOT = User("usr_root", "root", Role.ADMIN, 0.0)
VIC = User("usr_vic", "vic", Role.VIEWER, 0.0)
KEY = ApiKey("key_1", ADA.id, "laptop", b"d" * 32, 0.0)
TOKEN = AgentToken("tok_1", "agt_1", "ada/hello")


def holder(*scopes: str, user: User = ADA, credential: Credential = KEY) -> Principal:
    return Principal(user, credential, scopes)


def refused(who: Principal | None, right: Right) -> AtlasError | None:
    try:
        require(who, right)
    except AtlasError as error:
        return error
    return None


def granted(who: Principal) -> set[Right]:
    return {right for right in Right if refused(who, right) is None}


def test_whoever_shows_nothing_has_what_is_open_and_nothing_else() -> None:
    assert refused(None, Right.OPEN) is None
    others = [refused(None, right) for right in Right if right is not Right.OPEN]
    assert {type(error) for error in others} == {Unauthenticated}


@pytest.mark.parametrize(
    ("scopes", "rights"),
    [
        ((), set()),
        (("tasks:read",), {Right.READ_TASKS}),
        (("tasks:write",), {Right.READ_TASKS, Right.WRITE_TASKS}),
        (("tasks:call:ada/books",), {Right.READ_TASKS, Right.WRITE_TASKS}),
        (("tasks:read:own",), {Right.READ_TASKS}),
        (("agents:write", "tokens:read"), {Right.READ_AGENTS, Right.WRITE_AGENTS, Right.READ_TOKENS}),
        (("tokens:write",), {Right.READ_TOKENS, Right.WRITE_TOKENS}),
        (("users:admin",), set()),
        (("audit:read",), set()),
        (("metrics:read",), set()),
        (("tasks", "tasks:*", "TASKS:READ"), set()),
    ],
)
def test_a_key_is_good_for_its_scopes_and_nothing_else(scopes: tuple[str, ...], rights: set[Right]) -> None:
    assert granted(holder(*scopes)) == rights | {Right.OPEN, Right.BE_KNOWN}


@pytest.mark.parametrize(
    ("held", "asked", "given"),
    [
        (("*",), None, ("*",)),
        (("users:admin",), None, ("users:admin",)),
        (("*",), ["*"], ("*",)),
        (("*",), ["tasks:read", "users:admin", "tasks:read"], ("tasks:read", "users:admin")),
        (("users:admin", "tasks:write"), ["tasks:read"], ("tasks:read",)),
    ],
)
def test_a_key_is_given_what_is_asked_for_else_all_that_its_maker_has(
    held: tuple[str, ...], asked: list[str] | None, given: tuple[str, ...]
) -> None:
    assert to_give(holder(*held, user=ROOT), asked) == given


@pytest.mark.parametrize(
    ("held", "asked", "lacks"),
    [
        (("users:admin",), ["*"], "*"),
        (("tasks:read", "agents:read"), ["tasks:read", "tasks:write"], "tasks:write"),
        (("tasks:write", "agents:write", "tokens:write", "users:admin"), ["*"], "*"),
        (("tasks:call:ada/books", "users:admin"), ["tasks:read"], "tasks:read"),
        (("tasks:call:ada/books", "users:admin"), ["tasks:call:ada/books/search", "tasks:call"], "tasks:call"),
    ],
)
def test_no_key_is_given_more_than_its_maker_has(held: tuple[str, ...], asked: list[str], lacks: str) -> None:
    with pytest.raises(Forbidden, match=f"lacks the scope {re.escape(lacks)}; `atlas ") as refusal:
        to_give(holder(*held, user=ROOT), asked)
    assert refusal.value.code == "insufficient_scope"


@pytest.mark.parametrize("word", ["tasks", "agent:call", "TASKS:READ"])
def test_a_key_is_given_scopes_of_keys_only(word: str) -> None:
    with pytest.raises(InvalidInput):
        to_give(holder("*"), [word])


def test_a_scope_that_lacks_is_named_whatever_the_role() -> None:
    for user in (ADA, ROOT):
        error = refused(holder("tasks:read", user=user), Right.WRITE_TASKS)
        assert isinstance(error, Forbidden)
        assert error.code == "insufficient_scope"
        assert "tasks:call" in error.message


def test_administrating_takes_the_role_and_the_scope() -> None:
    assert getattr(refused(holder("*"), Right.MANAGE_USERS), "code", None) == "forbidden"
    assert refused(holder("users:admin", user=ROOT), Right.MANAGE_USERS) is None
    # Whoever says what somebody logs in with is them when they like.
    assert getattr(refused(holder("users:admin", user=ROOT), Right.MANAGE_LOGINS), "code", None) == "insufficient_scope"
    assert granted(holder("audit:read", user=ROOT)) == {Right.READ_AUDIT, Right.OPEN, Right.BE_KNOWN}
    assert granted(holder("metrics:read", user=ROOT)) == {Right.READ_METRICS, Right.OPEN, Right.BE_KNOWN}
    # A copy of the network holds every secret, so it takes a key that is good for everything.
    assert (
        getattr(refused(holder("users:admin", user=ROOT), Right.MANAGE_BACKUPS), "code", None) == "insufficient_scope"
    )
    assert granted(holder("*", user=ROOT)) == set(Right) - {Right.CONNECT, Right.CALL}


def test_a_credential_that_is_good_for_something_only_makes_none_that_is_good_for_more() -> None:
    everything_else = [scope.value for scope in Scope if scope is not Scope.EVERYTHING]
    assert Right.MANAGE_OWN_KEYS not in granted(holder(*everything_else, user=ROOT))


def test_an_agent_connects_and_calls_and_does_nothing_that_people_do() -> None:
    assert granted(holder(*AGENT_SCOPES, credential=TOKEN)) == {Right.OPEN, Right.CONNECT, Right.CALL}
    assert granted(holder("agent:connect", credential=TOKEN)) == {Right.OPEN, Right.CONNECT}
    assert granted(holder("*")) & {Right.CONNECT, Right.CALL} == set()


def test_a_viewer_reads_and_keeps_their_own_keys_whatever_their_credential_is_good_for() -> None:
    viewer = holder("*", user=VIC)
    reads = {Right.READ_TASKS, Right.READ_AGENTS, Right.READ_TOKENS}
    assert granted(viewer) == reads | {Right.OPEN, Right.BE_KNOWN, Right.MANAGE_OWN_KEYS}
    refusal = refused(viewer, Right.WRITE_TASKS)
    assert isinstance(refusal, Forbidden) and refusal.code == "forbidden"
    assert granted(holder(*AGENT_SCOPES, user=VIC, credential=TOKEN)) == {Right.OPEN, Right.CONNECT}


def test_a_viewer_makes_keys_for_reading_only() -> None:
    viewer = holder("*", user=VIC)
    assert to_give(viewer, ["tasks:read", "agents:read"]) == ("tasks:read", "agents:read")
    for word in ("tasks:write", "users:admin", "*"):
        with pytest.raises(Forbidden, match="a viewer"):
            to_give(viewer, ["tasks:read", word])


def test_a_member_makes_no_key_for_what_is_an_administrator_s() -> None:
    member = holder("*", user=ADA)
    assert to_give(member, ["*"]) == ("*",)
    for word in ("users:admin", "audit:read", "metrics:read"):
        with pytest.raises(Forbidden, match=f"{word} is for administrators alone"):
            to_give(member, ["tasks:read", word])


def test_every_right_is_of_some_use() -> None:
    assert set(RIGHT_OF.values()) | {Right.CONNECT} == set(Right)


@pytest.mark.parametrize(
    ("credential", "caller"),
    [
        (KEY, CallerRef("api_key", "key_1", "usr_ada", "ada/laptop")),
        (BrowserSession("ses_1"), CallerRef("user", "usr_ada", "usr_ada", "ada")),
        (TOKEN, CallerRef("agent", "agt_1", "usr_ada", "ada/hello")),
    ],
)
def test_a_task_names_who_asked_for_it(credential: Credential, caller: CallerRef) -> None:
    assert holder("*", credential=credential).caller == caller


def test_a_member_sees_what_is_theirs_and_an_administrator_everything() -> None:
    hers, others = (AgentRecord("agt_1", owner, "x", "y", 0.0) for owner in (ADA.id, "usr_bob"))
    assert [seen_by(ADA).level(one) for one in (hers, others)] == [AccessLevel.OWN, None]
    assert [seen_by(ROOT).level(one) for one in (hers, others)] == [AccessLevel.OWN, AccessLevel.OWN]


@pytest.mark.parametrize(
    ("shares", "level"),
    [
        ([("user:usr_eve", "manage"), ("group:grp_2", "manage")], None),
        ([("everyone", "call")], "call"),
        ([("user:usr_ada", "call"), ("user:usr_eve", "manage")], "call"),
        ([("group:grp_1", "call"), ("everyone", "call")], "call"),
        ([("everyone", "call"), ("group:grp_1", "manage"), ("user:usr_ada", "call")], "manage"),
    ],
)
def test_what_is_shared_with_somebody_or_their_group_they_may_as_far_as_it_says(
    shares: list[tuple[str, str]], level: str | None
) -> None:
    agent = AgentRecord("agt_1", "usr_bob", "bob", "books", 0.0)
    agent = replace(agent, shares=tuple(Share(subject, AccessLevel(access)) for subject, access in shares))
    visible = seen_by(replace(ADA, groups=("grp_1",)))
    assert visible.level(agent) == level
    has = {None: (), "call": ("call",), "manage": ("call", "manage")}[level]
    assert tuple(needed for needed in AccessLevel if visible.may(agent, needed)) == has
    assert visible.task("key_1", "usr_bob", agent) == (level == "manage")
    assert visible.task("key_1", ADA.id, agent)


HERS, BOBS = (AgentRecord("agt_1", owner, "x", "y", 0.0) for owner in (ADA.id, "usr_bob"))
TIED: dict[Tie, tuple[str, AgentRecord | None]] = {Tie.ASKED: (ADA.id, BOBS), Tie.MANAGES: ("usr_bob", HERS)}
"""A task that a user is tied to in this way alone: its owner, and its agent."""


@pytest.mark.parametrize("tie", Tie)
def test_each_tie_alone_shows_a_task(tie: Tie) -> None:
    assert Visible(ADA.id).task("key_1", *TIED[tie])
    assert not Visible(ADA.id).task("key_1", "usr_bob", BOBS)
    assert not Visible(ADA.id).task("key_1", "usr_bob", None)
    assert Visible(None).task("key_1", "usr_bob", None)
    for user in (ADA.id, None):
        assert Visible(user, "key_1").task("key_1", *TIED[tie])
        assert not Visible(user, "key_2").task("key_1", *TIED[tie])


def test_a_key_sees_and_changes_no_more_tasks_than_its_scopes_say() -> None:
    def of(*scopes: str) -> tuple[str | None, str | None]:
        return holder(*scopes).visible.key_id, holder(*scopes).acts_on.key_id

    assert of("*") == of("tasks:write") == (None, None)
    assert of("tasks:read", "tasks:call") == (None, KEY.id)
    assert of("tasks:call:ada/books") == of("tasks:read:own") == (KEY.id, KEY.id)


def test_a_narrowed_credential_asks_for_no_other_agent_or_skill() -> None:
    narrow = holder("tasks:call:ada/books/search", "tasks:call:eve/hello")
    for agent, skill in (("books", "search"), ("ada/books", "search"), ("eve/hello", "greet")):
        require_call(narrow, agent, skill)
        require_call(holder("tasks:write"), agent, skill)
    for agent, skill in (("books", "buy"), ("hello", "greet"), ("eve/books", "search"), ("a b/c", "d")):
        with pytest.raises(Forbidden, match="lacks the scope tasks:call:") as refusal:
            require_call(narrow, agent, skill)
        assert refusal.value.code == "insufficient_scope"
    agent = holder("agent:connect", "agent:call:ada/books", credential=TOKEN)
    require_call(agent, "books", "search")
    with pytest.raises(Forbidden, match="lacks the scope agent:call:eve/books/search"):
        require_call(agent, "eve/books", "search")
