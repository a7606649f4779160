import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentic_atlas.auth import AGENT_SCOPES, API_KEY_SCOPES, Scope, allows, covers, format_scopes, parse_scopes
from agentic_atlas.auth.scopes import MAX_SCOPES
from agentic_atlas.errors import InvalidInput


def test_every_scope_is_an_agents_or_an_api_keys_and_never_both() -> None:
    assert sorted([*AGENT_SCOPES, *API_KEY_SCOPES]) == sorted(Scope)


def test_the_words_are_the_documented_ones() -> None:
    assert format_scopes(AGENT_SCOPES) == "agent:connect agent:call"
    assert format_scopes(API_KEY_SCOPES) == (
        "tasks:read tasks:call tasks:write agents:read agents:write tokens:read tokens:write users:admin audit:read "
        "metrics:read *"
    )


@pytest.mark.parametrize("scope", Scope)
def test_a_scope_grants_itself_and_nothing_granted_grants_nothing(scope: Scope) -> None:
    assert allows([scope], scope)
    assert not allows([], scope)


@pytest.mark.parametrize(
    ("granted", "also"),
    [
        ("tasks:write", {"tasks:read", "tasks:call"}),
        ("tasks:call", {"tasks:read"}),
        ("agents:write", {"agents:read"}),
        ("tokens:write", {"tokens:read"}),
        ("*", set(API_KEY_SCOPES) - {"*"}),
        ("users:admin", set()),
        ("audit:read", set()),
        ("metrics:read", set()),
        ("tasks:read", set()),
        ("agents:read", set()),
        ("tokens:read", set()),
        ("agent:connect", set()),
        ("agent:call", set()),
    ],
)
def test_a_scope_implies_exactly_this(granted: str, also: set[str]) -> None:
    assert {scope for scope in Scope if allows([granted], scope)} == {granted, *also}


@pytest.mark.parametrize(
    ("granted", "covered", "beyond"),
    [
        ("tasks:write", ["tasks:read", "tasks:read:own", "tasks:call:ada/books"], ["*", "agents:read"]),
        ("tasks:call", ["tasks:call:ada/books/search", "tasks:read:own"], ["tasks:read", "tasks:write"]),
        (
            "tasks:call:ada/books",
            ["tasks:call:ada/books/search", "tasks:read:own"],
            ["tasks:call", "tasks:call:ada/bookshop", "tasks:call:ada/book", "agent:call:ada/books", "tasks:read"],
        ),
        ("tasks:call:ada/books/search", [], ["tasks:call:ada/books", "tasks:call:ada/books/searches"]),
        ("tasks:read:own", [], ["tasks:read", "tasks:call"]),
        ("agent:call", ["agent:call:ada/books", "agent:call:eve/x/y"], ["agent:connect", "tasks:call"]),
        ("agent:call:ada/books", ["agent:call:ada/books/search"], ["agent:call", "agent:call:eve/books"]),
        ("*", ["tasks:call:ada/books", "tasks:read:own"], ["agent:call", "agent:call:ada/books"]),
    ],
)
def test_a_narrowed_word_is_good_for_its_part_alone(granted: str, covered: list[str], beyond: list[str]) -> None:
    for word in [granted, *covered]:
        assert covers((granted,), word), word
    for word in beyond:
        assert not covers((granted,), word), word


@pytest.mark.parametrize(
    "word",
    [
        "tasks:call:", "tasks:call:ada", "tasks:call:ada/", "tasks:call:ada/books/", "tasks:call:ada/books/a/b",
        "tasks:call:Ada/books", "tasks:call:*", "tasks:read:all", "tasks:write:own", "agents:read:own", "*:own",
        "tasks:call:ada/books\n", "agent:connect:ada/books", "users:admin:ada/books",
    ],
)  # fmt: skip
def test_a_word_with_a_part_that_there_is_not_is_no_scope(word: str) -> None:
    assert not any(allows([word], scope) for scope in Scope)
    assert not covers(tuple(Scope), word)
    with pytest.raises(InvalidInput):
        parse_scopes(f"{word}x" if word.endswith("\n") else word, tuple(Scope))


def test_all_words_together_have_a_bound() -> None:
    words = [f"agent:call:{'a' * 60}/books{number:03}" for number in range(30)]
    with pytest.raises(InvalidInput, match=f"at most {MAX_SCOPES}") as caught:
        parse_scopes(" ".join(words), AGENT_SCOPES)
    assert caught.value.code == "too_many_scopes"


@pytest.mark.parametrize("word", ["", "tasks", "tasks:", "tasks:*", "TASKS:READ", "tasks:read ", "**"])
def test_a_word_that_is_no_scope_grants_nothing(word: str) -> None:
    assert not any(allows([word], scope) for scope in Scope)


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([AGENT_SCOPES, API_KEY_SCOPES]).flatmap(lambda known: st.lists(st.sampled_from(known), unique=True))
)
def test_scopes_survive_writing_and_reading(scopes: list[Scope]) -> None:
    known = AGENT_SCOPES if set(scopes) <= set(AGENT_SCOPES) else API_KEY_SCOPES
    assert parse_scopes(format_scopes(scopes), known) == tuple(scopes)


def test_a_repeated_word_is_held_once() -> None:
    assert parse_scopes("tasks:read  tasks:read", API_KEY_SCOPES) == (Scope.TASKS_READ,)


@pytest.mark.parametrize(
    ("text", "known"), [("*", AGENT_SCOPES), ("agent:call", API_KEY_SCOPES), ("tasks:read x", API_KEY_SCOPES)]
)
def test_a_word_of_the_other_kind_or_of_none_is_refused(text: str, known: tuple[Scope, ...]) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_scopes(text, known)
    assert caught.value.code == "unknown_scope"
    assert repr(text.split()[-1]) in str(caught.value)
    assert known[0] in str(caught.value)


def test_an_unknown_word_is_named_but_not_at_any_length() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_scopes("x" * 1000, AGENT_SCOPES)
    assert "x" * 64 in str(caught.value)
    assert "x" * 65 not in str(caught.value)
