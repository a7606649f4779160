import pytest

from agentic_atlas.backend.domain.names import (
    check_label,
    check_name,
    check_user_name,
    child_trace,
    split_agent,
    trace_id,
)
from agentic_atlas.errors import InvalidInput


@pytest.mark.parametrize("name", ["a", "hello", "a-b_c9", "9", "a" * 64])
def test_these_are_names(name: str) -> None:
    assert check_name(name, "an agent") == name


@pytest.mark.parametrize("name", ["", "A", "a b", "-a", "a-", "_a", "ä", "a/b", "a" * 65, "a\n", "tokens", "a\x00"])
def test_these_are_not(name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_name(name, "an agent")
    assert caught.value.code == "invalid_name"


def test_a_label_is_one_printable_line() -> None:
    assert check_label("Ada's laptop ✓", "a name") == "Ada's laptop ✓"
    for label in ("two\nlines", "\x1b[31m", "x" * 101):
        with pytest.raises(InvalidInput):
            check_label(label, "a name")


def test_an_agent_is_named_with_or_without_its_owner() -> None:
    assert split_agent("hello") == (None, "hello")
    assert split_agent("ada/hello") == ("ada", "hello")


def ones(count: int) -> bytes:
    return b"\x01" * count


def test_a_child_is_a_new_span_of_its_parents_trace() -> None:
    parent = "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"
    assert child_trace(parent, 1.0, ones) == "00-" + "ab" * 16 + "-" + "01" * 8 + "-01"


@pytest.mark.parametrize(
    "parent", [None, "", "junk", "00-" + "0" * 32 + "-" + "cd" * 8 + "-01", "00-" + "AB" * 16 + "-" + "cd" * 8 + "-01"]
)
def test_without_a_well_formed_parent_a_trace_begins(parent: str | None) -> None:
    # 1,767,225,600,123 ms, then chance.
    assert child_trace(parent, 1_767_225_600.123, ones) == "00-019b76daa87b" + "01" * 10 + "-" + "01" * 8 + "-01"


def test_traces_sort_by_the_time_of_their_beginning() -> None:
    times = [0.0, 1.0, 1.002, 1_767_225_600.0, 1e12]
    began = [trace_id(child_trace(None, at, ones)) for at in times]
    assert began == sorted(began) and {len(one) for one in began} == {32}


@pytest.mark.parametrize("name", ["system", "nobody", "me", "everyone", "tokens", "Ada"])
def test_a_user_is_not_called_what_stands_for_somebody_else(name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_user_name(name)
    assert refused.value.code == "invalid_name"
    assert check_user_name(f"{name.lower()}-2") == f"{name.lower()}-2"
