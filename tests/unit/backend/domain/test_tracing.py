import pytest

from agentic_atlas.backend.domain.tracing import child, trace_id


def ones(count: int) -> bytes:
    return b"\x01" * count


def test_a_child_is_a_new_span_of_its_parents_trace() -> None:
    parent = "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"
    assert child(parent, ones) == "00-" + "ab" * 16 + "-" + "01" * 8 + "-01"


@pytest.mark.parametrize(
    "parent", [None, "", "junk", "00-" + "0" * 32 + "-" + "cd" * 8 + "-01", "00-" + "AB" * 16 + "-" + "cd" * 8 + "-01"]
)
def test_without_a_well_formed_parent_a_trace_begins(parent: str | None) -> None:
    assert trace_id(child(parent, ones)) == "01" * 16
