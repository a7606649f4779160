import pytest

from agentic_atlas.backend.domain.names import check_label, check_name, split_agent
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
