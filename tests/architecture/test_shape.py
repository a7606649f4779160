"""Names that mean one thing, classes that can be read, few types that say nothing, one reader of the environment."""

from __future__ import annotations

from tests.architecture.shape import shape

MOST_METHODS = 20
ONE_THING = {
    "Caller": "public in the test kit; on the wire it is whose task it is",
    "Task": "the same task: delivered to an agent, kept in the store, held by a test",
}
"""Names that two classes have, and why."""
LARGER: dict[str, int] = {}
"""Classes that have more methods than others may; none of them gets another one."""
ANY = 3.2
CLASSES = 15.0
"""Each per 1,000 lines."""


def test_a_name_belongs_to_one_public_class() -> None:
    twice = {name: modules for name, modules in shape().twice.items() if name not in ONE_THING}
    assert twice == {}


def test_no_reason_is_kept_for_a_name_that_stands_once() -> None:
    assert set(ONE_THING) <= set(shape().twice)


def test_a_class_has_no_more_methods_than_can_be_kept_in_mind() -> None:
    too_many = {
        name: number for name, number in shape().methods.items() if number > max(MOST_METHODS, LARGER.get(name, 0))
    }
    assert too_many == {}


def test_a_class_that_has_shrunk_is_no_exception_any_more() -> None:
    assert {name for name in LARGER if shape().methods[name] <= MOST_METHODS} == set()


def test_few_types_say_nothing() -> None:
    assert shape().per_thousand(shape().any) <= ANY


def test_not_every_idea_is_a_class() -> None:
    assert shape().per_thousand(shape().classes) <= CLASSES


def test_the_environment_is_read_in_one_place_and_where_a_shell_asks_what_it_may_offer() -> None:
    assert shape().environment == {"sdk/environment.py": 1, "cli/shell.py": 1}
