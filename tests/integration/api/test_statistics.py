"""What became of tasks, over HTTP: to each what they see."""

from __future__ import annotations

from pathlib import Path

from agentic_atlas.protocol.messages import Fault, Outcome, Result
from tests.integration.api.network import GREET
from tests.integration.api.test_tasks import ask, prepared


async def test_tasks_are_counted_as_they_end_and_agree_with_the_list(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        await atlas.connect(atlas.admin, "hello", GREET, slots=3)
        made = [(await atlas.admin.post("/api/v1/tasks", json=ask())).json()["id"] for _ in range(4)]
        await atlas.report(Result(made[0], 1, Outcome.COMPLETED, output=b'"hi"'))
        await atlas.report(Result(made[1], 1, Outcome.FAILED, error=Fault("handler_error", "it broke")))
        told = (await atlas.admin.get("/api/v1/statistics")).json()
        assert (told["total"]["completed"], told["total"]["failed"], told["total"]["success_rate"]) == (1, 1, 0.5)
        assert [(one["code"], one["tasks"]) for one in told["failures"]] == [("handler_error", 1)]
        assert told["waiting"] + told["running"] == 2
        assert sum(span["completed"] for span in told["spans"]) == 1
        assert told["callers"][0]["caller"] == "admin"
        await atlas.engine.store.statistics.roll(atlas.engine.clock() + 60)
        again = (await atlas.admin.get("/api/v1/statistics")).json()
        assert again["total"] == told["total"]
        assert (await atlas.admin.get("/api/v1/statistics?agent=hello")).json()["total"] == told["total"]
        assert (await atlas.admin.get("/api/v1/statistics?agent=nobody")).status_code == 404
        assert (await atlas.admin.get("/api/v1/statistics?since=2100-01-01T00:00:00Z")).status_code == 422
        other = await atlas.member("bob")
        assert (await other.get("/api/v1/statistics")).json()["skills"] == []
