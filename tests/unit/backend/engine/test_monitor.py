from __future__ import annotations

from agentic_atlas.backend.domain.invariants import Finding, Invariant
from agentic_atlas.backend.engine.monitor import Findings

STUCK = Finding(Invariant.RUNNING_WITHOUT_LEASE, "tsk_1")


def test_what_happens_for_a_moment_is_no_finding() -> None:
    findings = Findings(patience=3)
    for suspects in ([STUCK], [STUCK], [], [STUCK], [STUCK]):
        assert findings.look(suspects) == []
    assert findings.now()[Invariant.RUNNING_WITHOUT_LEASE] == 0
    assert not findings.ever


def test_what_lasts_is_told_once_and_counted_as_long_as_it_is_there() -> None:
    findings = Findings(patience=3)
    told = [findings.look([STUCK]) for _ in range(5)]
    assert told == [[], [], [STUCK], [], []]
    assert findings.now()[Invariant.RUNNING_WITHOUT_LEASE] == 1
    findings.look([])
    assert findings.now()[Invariant.RUNNING_WITHOUT_LEASE] == 0
    assert findings.ever == {Invariant.RUNNING_WITHOUT_LEASE: 1}


def test_one_does_not_hide_another() -> None:
    findings = Findings(patience=1)
    other = Finding(Invariant.RUNNING_WITHOUT_LEASE, "tsk_2")
    assert findings.look([STUCK, other]) == [STUCK, other]
    assert findings.now() == {**dict.fromkeys(Invariant, 0), Invariant.RUNNING_WITHOUT_LEASE: 2}
