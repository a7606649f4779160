"""A restore into a data folder: all of the backup or all of what was there, whenever the process is killed."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from agentic_atlas import AsyncClient
from agentic_atlas.auth import KeyRing, SigningKey, load_or_create_ring, save_ring
from agentic_atlas.backend.archive import placing
from agentic_atlas.backend.store.lock import owned
from agentic_atlas.compose.restore import finish_restore, restore
from agentic_atlas.compose.sources import wall
from agentic_atlas.errors import AtlasError, ConfigurationError, NotFound, Unauthenticated, Unavailable
from agentic_atlas.protocol.caller.accounts import MachineLogin
from agentic_atlas.protocol.caller.backups import BackupInfo
from agentic_atlas.sdk.client.login import InvitationLink, key_for_password
from tests.integration.compose.data_folders import backed_up, held, made, rewritten
from tests.integration.compose.test_audit import up
from tests.killing import killed_within

KILLS = 20


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a network with 300 tasks."""
    return made(tmp_path_factory.mktemp("new") / "data", 300, size=10_000)


@pytest.fixture(scope="module")
def backup(new: Path) -> BackupInfo:
    return backed_up(new)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with another network, of three tasks."""
    return made(tmp_path / "data", 3)


def names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


def test_a_restored_network_is_the_one_that_was_backed_up(new: Path, backup: BackupInfo, tmp_path: Path) -> None:
    manifest, aside, *_ = restore(Path(backup.path), tmp_path / "data", force=False)
    assert held(tmp_path / "data") == held(new)
    assert held(new).tasks == 300
    assert (manifest.network, aside) == (held(new).network, None)
    assert names(tmp_path / "data") == {"atlas.sqlite3", "atlas.sqlite3.lock", "keys"}
    assert {entry.stat().st_mode & 0o077 for entry in (tmp_path / "data").rglob("*")} == {0}


def test_what_is_there_is_not_replaced_without_force_and_not_deleted_with_it(
    new: Path, backup: BackupInfo, folder: Path
) -> None:
    before = held(folder)
    with pytest.raises(ConfigurationError, match="--force") as refused:
        restore(Path(backup.path), folder, force=False)
    assert refused.value.code == "data_exists"
    assert held(folder) == before
    aside = restore(Path(backup.path), folder, force=True).aside
    assert aside is not None
    assert aside.parent == folder
    assert aside.name.startswith("before-restore-2")
    assert held(folder) == held(new)
    assert held(aside) == before


def test_a_folder_that_a_server_uses_is_left_alone(backup: BackupInfo, folder: Path) -> None:
    before = held(folder)
    with owned(folder / "atlas.sqlite3"), pytest.raises(ConfigurationError) as refused:
        restore(Path(backup.path), folder, force=True)
    assert refused.value.code == "store_in_use"
    assert held(folder) == before


def test_a_folder_that_others_can_write_in_gets_nothing(backup: BackupInfo, tmp_path: Path) -> None:
    open_to_all = tmp_path / "shared"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    with pytest.raises(ConfigurationError, match="other users"):
        restore(Path(backup.path), open_to_all, force=False)
    assert names(open_to_all) == set()


@pytest.mark.timeout(180)
def test_a_kill_at_any_moment_leaves_the_old_network_or_the_new(
    new: Path, backup: BackupInfo, folder: Path, tmp_path: Path
) -> None:
    old, whole = held(folder), held(new)
    began = time.monotonic()
    restore(Path(backup.path), tmp_path / "measured", force=False)
    took = time.monotonic() - began
    chance = random.Random()
    kills, outcomes = 0, set()
    while kills < KILLS:
        if not killed_within(chance.uniform(0, 1.2) * took, lambda: restore(Path(backup.path), folder, force=True)):
            aside = max(folder.glob("before-restore-*"), key=lambda path: path.stat().st_mtime_ns)
            assert held(aside) in (old, whole)
            continue
        kills += 1
        finish_restore(folder)
        outcomes.add(held(folder))
        assert outcomes <= {old, whole}
        assert not placing.unfinished(folder)
    restore(Path(backup.path), folder, force=True)
    assert held(folder) == whole
    assert old in [held(aside) for aside in folder.glob("before-restore-*")]


def test_a_decided_restore_is_finished_by_whoever_opens_the_folder_next(
    new: Path, backup: BackupInfo, folder: Path, tmp_path: Path
) -> None:
    restore(Path(backup.path), tmp_path / "staged", force=False)
    stage = placing.stage(folder)
    for name in ("atlas.sqlite3", "keys"):
        (tmp_path / "staged" / name).rename(stage / name)
    placing.decide(folder, "T")
    assert Path(backed_up(folder).path).parent == folder / "backups"
    assert held(folder) == held(new)
    assert (folder / "before-restore-T").is_dir()


def test_a_restore_that_goes_on_elsewhere_is_not_finished_here(folder: Path) -> None:
    placing.stage(folder)
    with owned(folder / "atlas.sqlite3"), pytest.raises(ConfigurationError) as refused:
        finish_restore(folder)
    assert refused.value.code == "store_in_use"
    assert placing.unfinished(folder)


def test_data_of_a_later_schema_is_refused_with_the_version_to_install(
    backup: BackupInfo, folder: Path, tmp_path: Path
) -> None:
    before = held(folder)
    later = rewritten(backup, tmp_path / "later.tar", schema="9999", version="9.0.0")
    with pytest.raises(ConfigurationError, match=r"made by Agentic Atlas 9\.0\.0 \(schema 9999") as refused:
        restore(later, folder, force=True)
    assert refused.value.code == "backup_newer"
    assert held(folder) == before


def test_a_backup_that_does_not_hold_what_it_says_changes_nothing(
    backup: BackupInfo, folder: Path, tmp_path: Path
) -> None:
    before = held(folder)
    other = backed_up(made(tmp_path / "other", 1))
    odd = {
        "of another network": rewritten(backup, tmp_path / "1.tar", network="net_other"),
        "no database": rewritten(backup, tmp_path / "2.tar", {"atlas.sqlite3": b"none" * 1_000}),
        "a damaged database": rewritten(backup, tmp_path / "3.tar", {"atlas.sqlite3": damaged(Path(other.path))}),
        "a trigger": rewritten(backup, tmp_path / "5.tar", {"atlas.sqlite3": changed(Path(other.path), TRIGGER)}),
        "a table less": rewritten(backup, tmp_path / "6.tar", {"atlas.sqlite3": changed(Path(other.path), TABLE_LESS)}),
        "no keys": rewritten(backup, tmp_path / "4.tar", {"keys/ring.json": b"{}"}),
    }
    for what, path in odd.items():
        with pytest.raises(AtlasError) as refused:
            restore(path, folder, force=True)
        assert refused.value.code in ("key_file_refused", "backup_damaged"), what
        assert held(folder) == before, what
        assert not placing.unfinished(folder)
    assert not list(folder.glob("before-restore-*"))


PASSWORD = "tall trees by the sea"


async def let_in(client: AsyncClient) -> tuple[dict[str, str], str, str]:
    """Have a user log in; return their browser's cookies, the key of their `atlas login`, and another's link."""
    bobs = InvitationLink((await client.people.invite("bob", "member")).link)
    await bobs.accept(PASSWORD)
    url = bobs.url
    async with httpx.AsyncClient(base_url=url, headers={"Origin": url}) as browser:
        assert (await browser.post("/api/v1/session", json={"name": "bob", "password": PASSWORD})).status_code == 201
    key = await key_for_password(url, MachineLogin(name="bob", password=PASSWORD, host="laptop"))
    return dict(browser.cookies), key.key, (await client.people.invite("eve", "member")).link


@pytest.mark.anyio
async def test_what_let_people_in_at_the_backup_lets_nobody_in_after_a_restore(tmp_path: Path) -> None:
    async with up(tmp_path / "data") as client:
        cookies, key, link = await let_in(client)
        made = await client.backups.create()
    restored = restore(Path(made.path), tmp_path / "data", force=True)
    assert restored.ended == {"sessions": 1, "login_keys": 1, "invitations": 1}
    assert restored.aside is not None
    async with up(tmp_path / "data") as client:
        url = InvitationLink((await client.people.invite("ann", "member")).link).url
        async with httpx.AsyncClient(base_url=url, cookies=cookies) as again:
            assert (await again.get("/api/v1/session")).status_code == 401
        async with AsyncClient(url, api_key=key) as machine:
            with pytest.raises(Unauthenticated):
                await machine.people.whoami()
        with pytest.raises(NotFound):
            await InvitationLink(f"{url}/login#{link.partition('#')[2]}").show()
        assert (await client.people.whoami()).user.name == "admin", "a key that was made for it goes on"
        (row,) = [row async for row in client.audit.list(action="backups.restore")]
        assert (row.object.name, row.detail) == (made.name, restored.ended)
        assert (await client.audit.verify()).flaws == []


@pytest.mark.anyio
async def test_a_signing_key_that_was_withdrawn_after_the_backup_stays_so_where_the_networks_keys_are_there(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "data"
    async with up(folder) as client:
        made = await client.backups.create()
        (withdrawn,) = [key.id for key in await client.keys.signing()]
        signs = (await client.keys.rotate()).id
        await client.keys.withdraw(withdrawn)
    assert restore(Path(made.path), tmp_path / "elsewhere", force=False).keys_kept is False
    assert load_or_create_ring(tmp_path / "elsewhere/keys", wall()).active.kid == withdrawn
    assert restore(Path(made.path), folder, force=True).keys_kept is True
    async with up(folder) as client:
        assert [(key.id, key.signs) for key in await client.keys.signing()] == [(signs, True)]
        assert (await client.audit.verify()).flaws == []
    assert not (folder / "keys" / f"{withdrawn}.pem").exists()


@pytest.mark.anyio
async def test_a_signing_key_that_the_folders_keys_are_too_old_to_know_is_that_of_the_backup(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    async with up(folder) as client:
        early = await client.backups.create()
        ring = load_or_create_ring(folder / "keys", wall())
        later = SigningKey.generate(wall() + 60)
        gone = SigningKey.generate(ring.active.created_at - 60).verification(int(wall()) + 3600)
    save_ring(folder / "keys", KeyRing(later, (ring.active.verification(int(wall()) + 3600), gone)), wall())
    late = await asyncio.to_thread(backed_up, folder)
    restore(Path(early.path), tmp_path / "other", force=False)
    assert restore(Path(late.path), tmp_path / "other", force=True).keys_kept is True
    kept = load_or_create_ring(tmp_path / "other/keys", wall())
    assert kept.active.kid == later.kid
    assert set(kept.verification) == {later.kid, ring.active.kid}, "what was withdrawn there stays so"


def test_the_keys_of_another_network_and_those_that_cannot_be_read_tell_nothing(
    backup: BackupInfo, folder: Path
) -> None:
    assert restore(Path(backup.path), folder, force=True).keys_kept is False
    (folder / "keys/ring.json").write_text("{}")
    (folder / "keys/audit.json").write_text("{}")
    assert restore(Path(backup.path), folder, force=True).keys_kept is False


TRIGGER = "CREATE TRIGGER t AFTER INSERT ON api_keys BEGIN UPDATE users SET role = 'admin'; END"
TABLE_LESS = "DROP TABLE events"


def changed(backup: Path, statement: str) -> bytes:
    """Return the database of a backup after a statement."""
    folder = backup.parent / f"unpacked-{statement[:4]}"
    restore(backup, folder, force=False)
    path = folder / "atlas.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)
        connection.execute("PRAGMA journal_mode = DELETE")
    return path.read_bytes()


def damaged(backup: Path) -> bytes:
    """Return the database of a backup with a page of an index overwritten."""
    folder = backup.parent / "unpacked"
    restore(backup, folder, force=False)
    path = folder / "atlas.sqlite3"
    with closing(sqlite3.connect(f"{path.as_uri()}?immutable=1", uri=True)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'tasks_of_owner'").fetchone()
    data = bytearray(path.read_bytes())
    data[(root - 1) * 4096 : root * 4096] = bytes(4096)
    return bytes(data)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this user may not mount a file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_restore_without_room_leaves_what_was_there(backup: BackupInfo, small_disk: Path) -> None:
    folder = made(small_disk / "data", 3)
    before = held(folder)
    with pytest.raises(Unavailable) as refused:
        restore(Path(backup.path), folder, force=True)
    assert refused.value.code == "storage_full"
    assert held(folder) == before
    assert names(folder) == {"atlas.sqlite3", "atlas.sqlite3.lock", "keys"}
