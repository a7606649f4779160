"""The run of the tests itself: each ring has its place and its time, and what shares a fixture stays together."""

from __future__ import annotations

import pytest

from tests.findings import Finding, add
from tests.rings import ONE_AFTER_THE_OTHER, RINGS, ROOT, TOGETHER, WAITING, covered, part, ring_of, turn


@pytest.mark.parametrize("ring", RINGS)
def test_a_ring_has_tests(ring: str) -> None:
    assert any((ROOT / ring).rglob("test_*.py"))


def test_a_test_is_in_the_ring_of_its_folder_and_one_that_installs_with_the_end_to_end_ones() -> None:
    assert RINGS[ring_of("tests/faults/test_kills.py::test_it", ())] == "tests/faults"
    assert RINGS[ring_of("tests/architecture/test_install.py::test_it", {"install"})] == "tests/e2e"
    assert ring_of("benchmarks/run.py", ()) == len(RINGS)


def test_what_is_long_runs_first_in_its_ring() -> None:
    faults = [("tests/faults/test_a.py", ()), ("tests/faults/test_b.py", {"long"}), ("tests/unit/test_c.py", ())]
    assert [path[-9:] for path, marks in sorted(faults, key=lambda one: turn(*one))] == [
        "test_c.py",
        "test_b.py",
        "test_a.py",
    ]


def test_time_is_counted_once_where_tests_run_side_by_side() -> None:
    assert covered([]) == 0
    assert covered([(5.0, 6.0), (0.0, 2.0), (1.0, 3.0), (1.5, 1.6)]) == 4.0


def test_files_stay_whole_but_for_those_whose_tests_wait() -> None:
    for nodeid, shared in [
        ("tests/unit/test_x.py::test_a", "tests/unit/test_x.py"),
        ("tests/e2e/test_x.py::test_a[1]", "tests/e2e/test_x.py::test_a[1]"),
        ("tests/e2e/test_demo.py::test_a", "tests/e2e/test_demo.py"),
        ("tests/security/test_secrets.py::test_b", "tests/e2e/test_demo.py"),
    ]:
        assert part(nodeid) == shared


def test_what_is_named_to_stay_whole_is_there() -> None:
    assert all((ROOT / path).is_file() and path.startswith(WAITING) for path in TOGETHER)
    assert all((ROOT / path).is_file() and with_it in TOGETHER for path, with_it in ONE_AFTER_THE_OTHER.items())


def test_a_finding_travels_with_the_report_of_its_test(request: pytest.FixtureRequest) -> None:
    before = len(request.node.user_properties)
    add(request.node, "promised", "done", "seen")
    assert request.node.user_properties.pop(before) == ("finding", ("promised", "done", "seen"))
    assert Finding(*("promised", "done", "seen")).seen == "seen"
