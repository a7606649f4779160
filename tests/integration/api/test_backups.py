"""Backups over HTTP: for administrators, one at a time, under names of the server's."""

import asyncio
import hashlib
from pathlib import Path

from agentic_atlas.backend.archive import folder as folders
from agentic_atlas.backend.archive.tarball import read
from tests.integration.api.network import api


async def test_an_administrator_has_a_backup_made_and_sees_it_listed(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas:
        made = await atlas.admin.post("/api/v1/backups")
        assert made.status_code == 201, made.text
        backup = made.json()
        path = tmp_path / "backups" / backup["name"]
        content = path.read_bytes()
        assert backup["path"] == str(path)
        assert backup["size"] == len(content)
        assert backup["sha256"] == hashlib.sha256(content).hexdigest()
        assert read(path).network == atlas.engine.network
        listed = (await atlas.admin.get("/api/v1/backups")).json()
        assert listed == {"items": [backup | {"sha256": None}]}


async def test_nobody_else_may_and_nothing_is_made_for_them(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas:
        ada = await atlas.member("ada")
        for method in ("POST", "GET"):
            forbidden = await ada.request(method, "/api/v1/backups")
            assert (forbidden.status_code, forbidden.json()["error"]["code"]) == (403, "forbidden")
            unknown = await atlas.anonymous.request(method, "/api/v1/backups")
            assert unknown.status_code == 401
        assert not (tmp_path / "backups").exists()


async def test_the_place_is_the_servers_choice(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas:
        for asked in ({"path": "/tmp/mine.tar"}, {"name": "../mine.tar"}):
            made = await atlas.admin.post("/api/v1/backups", json=asked, params=asked)
            assert Path(made.json()["path"]).parent == tmp_path / "backups"


async def test_of_two_at_once_one_is_made_and_one_is_told_when_to_come_again(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas, asyncio.TaskGroup() as group:
        asked = [group.create_task(atlas.admin.post("/api/v1/backups")) for _ in range(2)]
        answers = sorted([await one for one in asked], key=lambda answer: answer.status_code)
        assert [answer.status_code for answer in answers] == [201, 429]
        assert answers[1].json()["error"]["code"] == "backup_running"
        assert int(answers[1].headers["Retry-After"]) >= 1


async def test_without_room_it_is_507_and_nothing_is_left_behind(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(folders, "ROOM", 1 << 60)

    async with api(tmp_path) as atlas:
        full = await atlas.admin.post("/api/v1/backups")
        assert (full.status_code, full.json()["error"]["code"]) == (507, "storage_full")
        assert "ATLAS_BACKUP_DIR" in full.json()["error"]["message"]
        assert list((tmp_path / "backups").iterdir()) == []


async def test_a_place_that_cant_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "backups").touch()

    async with api(tmp_path) as atlas:
        refused = await atlas.admin.post("/api/v1/backups")
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "backup_failed")
