"""What agents' processes take: now over the whole fleet, and over time of one agent; for who manages them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from agentic_atlas.protocol.inside.messages import Heard
from agentic_atlas.protocol.messages import Resources
from agentic_atlas.protocol.tasks import Holdup
from tests.integration.api.network import GREET, Api, api

FLEET = "/api/v1/resources"
HISTORY = "/api/v1/resources/history"


async def beat(atlas: Api, instance: str, cpu: float, memory: int, resources: Resources | None = None) -> None:
    atlas.router.door.say(Heard(atlas.router.there[instance], cpu=cpu, memory=memory, lag=0.5, resources=resources))


async def test_the_fleet_is_shown_in_the_order_and_with_the_sums_that_were_asked_for(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas:
        ada = await atlas.member("ada")
        for owner, name, instance in (
            (atlas.admin, "hello", "ins_1"),
            (atlas.admin, "other", "ins_2"),
            (ada, "hers", "ins_3"),
        ):
            await owner.post("/api/v1/agents", json={"name": name})
            await atlas.connect(owner, name, GREET, instance=instance)
            atlas.router.grant(instance)
        none = (await ada.get(FLEET)).json()["items"]
        assert [(one["cpu"], one["memory"], one["resources"]) for one in none] == [(None, None, None)]
        more = Resources(children=1, children_cpu=90.0, children_memory=50, machine_cpu=30.0)
        await beat(atlas, "ins_1", 20.0, 100)
        await beat(atlas, "ins_2", 10.0, 400, more)
        await beat(atlas, "ins_3", 5.0, 900)
        atlas.router.grant("ins_2", holdup=Holdup.MEMORY)
        found = (await atlas.admin.get(FLEET)).json()
        assert [(one["agent"], one["cpu"], one["memory"]) for one in found["items"]] == [
            ("admin/other", 100.0, 450),
            ("admin/hello", 20.0, 100),
            ("ada/hers", 5.0, 900),
        ]
        assert found["items"][0]["holdup"] == "memory"
        assert found["items"][0]["resources"]["machine_cpu"] == 30.0
        assert (found["processes"], found["matching"], found["cpu"], found["memory"]) == (3, 3, 125.0, 1_450)
        for order, first in (("memory", "ada/hers"), ("agent", "ada/hers"), ("machine", "admin/other")):
            listed = (await atlas.admin.get(FLEET, params={"order": order, "limit": 1})).json()
            assert [one["agent"] for one in listed["items"]] == [first]
            assert listed["matching"] == 3
        part = (await atlas.admin.get(FLEET, params={"part": "HELL"})).json()
        assert ([one["agent"] for one in part["items"]], part["cpu"]) == (["admin/hello"], 20.0)
        assert (await atlas.admin.get(FLEET, params={"order": "beauty"})).status_code == 422
        theirs = (await ada.get(FLEET)).json()
        assert ([one["agent"] for one in theirs["items"]], theirs["processes"]) == (["ada/hers"], 1)
        await atlas.leave("ins_3")
        assert (await ada.get(FLEET)).json()["items"] == []


async def test_what_an_agent_took_is_kept_by_the_minute_also_over_a_restart(tmp_path: Path) -> None:
    async with api(tmp_path, database=tmp_path / "atlas.db") as atlas:
        ada = await atlas.member("ada")
        await atlas.admin.post("/api/v1/agents", json={"name": "hello"})
        await atlas.connect(atlas.admin, "hello", GREET)
        atlas.router.grant("ins_1")
        for cpu in (10.0, 30.0):
            await beat(atlas, "ins_1", cpu, 1_000, Resources(threads=4))
        await atlas.engine.resources.store()
        assert (await ada.get(HISTORY, params={"agent": "admin/hello"})).status_code == 404
        await atlas.admin.put("/api/v1/agents/hello/shares", json={"subjects": ["ada"], "access": "call"})
        assert (await ada.get(HISTORY, params={"agent": "admin/hello"})).status_code == 403
        backwards = {"agent": "hello", "since": datetime.now(UTC).isoformat(), "until": "2020-01-01T00:00:00Z"}
        assert (await atlas.admin.get(HISTORY, params=backwards)).status_code == 422
        key = atlas.admin.headers["Authorization"]
    async with api(tmp_path, database=tmp_path / "atlas.db") as atlas:
        atlas.anonymous.headers["Authorization"] = key
        read = (await atlas.anonymous.get(HISTORY, params={"agent": "hello"})).json()
        assert (read["agent"], read["step"]) == ("admin/hello", 60)
        (instance,) = read["instances"]
        (point,) = instance["points"]
        assert (instance["id"], point["cpu"], point["cpu_most"], point["memory"]) == ("ins_1", 20.0, 30.0, 1_000)
        assert (point["threads"], point["gpu"], point["battery"]) == (4, None, None)
