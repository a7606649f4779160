"""The audit log of a real network: listed, exported, checked; and what is told of one that somebody changed."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
import stat
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from agentic_atlas import AsyncClient, AuditArchive, AuditHead, Forbidden
from agentic_atlas.backend.archive.tarball import Told
from agentic_atlas.backend.store.database import SqlStore
from agentic_atlas.backend.usecases import machine
from agentic_atlas.compose.audit import check_folder
from agentic_atlas.compose.network import network
from agentic_atlas.compose.restore import restore
from agentic_atlas.errors import AtlasError, Busy, ConfigurationError, NotFound, Unavailable
from agentic_atlas.observe.logs import logger
from agentic_atlas.settings import Settings
from tests.integration.cli.commands import atlas, complained, printed

pytestmark = pytest.mark.anyio

Spoil = Callable[[list[bytes]], list[bytes]]


@asynccontextmanager
async def up(folder: Path) -> AsyncIterator[AsyncClient]:
    settings = Settings(data_dir=folder, http_port=0, router_port=0)
    async with network(settings, logger("error")) as running:
        key = await machine.bootstrap(running.engine, "admin")
        kept = folder / "admin.key"
        if key is not None:
            kept.write_text(key)
        async with AsyncClient(running.addresses.api_url, api_key=kept.read_text()) as client:
            yield client


async def some(client: AsyncClient, rows: int = 2) -> None:
    """Have so many rows be written, besides the two of a network's first start."""
    for number in range(rows):
        await client.keys.create(f"key {number}", scopes=["tasks:read"])


def changed(folder: Path, *statements: str) -> None:
    """Have somebody at it who knows what they do."""
    with closing(sqlite3.connect(folder / "atlas.sqlite3")) as connection:
        for trigger in ("audit_unchanged", "audit_undeleted", "audit_in_order"):
            connection.execute(f"DROP TRIGGER {trigger}")
        for statement in statements:
            connection.execute(statement)
        connection.commit()


async def exported(client: AsyncClient, file: Path) -> list[bytes]:
    lines = [msgspec.json.encode(line) async for line in client.audit.export()]
    written(file, lines)
    return lines


def written(file: Path, lines: Sequence[bytes]) -> None:
    file.write_bytes(b"".join(line + b"\n" for line in lines))


async def test_an_administrator_sees_who_did_what_from_where_and_nobody_else_does(tmp_path: Path) -> None:
    async with up(tmp_path / "data") as client:
        made = await client.keys.create("ci", scopes=["tasks:read"])
        with pytest.raises(NotFound):
            await client.tokens.revoke("tok_none")
        await client.keys.revoke(made.id)
        *found, key, user = [entry async for entry in client.audit.list()]
        assert [(one.action, one.who.kind, one.object.name) for one in (user, key)] == [
            ("users.create", "system", "admin"),
            ("keys.create_for", "system", "first start"),
        ]
        assert [(one.action, one.outcome, one.object.name or one.object.id) for one in found] == [
            ("keys.revoke", "ok", "ci"),
            ("tokens.revoke", "token_not_found", "tok_none"),
            ("keys.create", "ok", "ci"),
        ]
        assert {(one.who.kind, one.who.name, one.address) for one in found} == {
            ("api_key", "admin/first start", "127.0.0.1")
        }
        assert found[2].detail == {"scopes": ["tasks:read"]}
        narrowed = client.audit.list(action="keys", object=made.id, since=datetime.now(UTC) - timedelta(hours=1))
        assert [one.action async for one in narrowed] == ["keys.revoke", "keys.create"]
        async with AsyncClient(client.base_url, api_key=(await client.keys.create(scopes=["tasks:read"])).key) as other:
            with pytest.raises(Forbidden):
                await other.audit.verify()


async def test_no_secret_is_in_a_row(tmp_path: Path) -> None:
    async with up(tmp_path / "data") as client:
        key = await client.keys.create("ci")
        await client.agents.create("one")
        token = await client.tokens.create("one")
        lines = b"".join(await exported(client, tmp_path / "export.jsonl"))
        assert b"tokens.issue" in lines
        assert not [secret for secret in (key.key, token.token) if secret.encode() in lines]


async def test_what_was_answered_is_in_the_log_of_a_network_that_is_up_and_of_one_that_was_stopped(
    tmp_path: Path,
) -> None:
    async with up(tmp_path / "data") as client:
        await some(client)
        report = await client.audit.verify()
        assert (report.rows, report.flaws) == (4, [])
        with pytest.raises(ConfigurationError, match="in use by"):
            check_folder(tmp_path / "data")
    stopped = check_folder(tmp_path / "data")
    assert (stopped.rows, stopped.flaws, stopped.unsigned) == (4, [], 0)
    async with up(tmp_path / "data") as client:
        await some(client, 1)
        again = await client.audit.verify()
        assert (again.rows, again.flaws) == (5, [])
        assert again.head is not None
        assert stopped.head is not None
        assert again.head.key == stopped.head.key


@pytest.mark.parametrize(
    ("statements", "flaw"),
    [
        (["UPDATE audit SET who_name = 'eve' WHERE seq = 2"], (2, "changed")),
        (["DELETE FROM audit WHERE seq = 3"], (3, "missing")),
        (["DELETE FROM audit WHERE seq > 2"], (3, "cut_off")),
        (["DELETE FROM audit"], (1, "cut_off")),
        (
            [f"UPDATE audit SET seq = {new} WHERE seq = {old}" for old, new in ((2, 9), (3, 2), (9, 3))],
            (1, "changed"),
        ),
    ],
)
async def test_rows_that_somebody_changed_are_found_in_the_folder_and_told_at_the_next_start(
    tmp_path: Path, statements: list[str], flaw: tuple[int, str]
) -> None:
    async with up(tmp_path / "data") as client:
        await some(client)
    changed(tmp_path / "data", *statements)
    report = check_folder(tmp_path / "data")
    assert (report.flaws[0].seq, report.flaws[0].kind) == flaw
    if flaw[1] == "cut_off":
        async with up(tmp_path / "data") as client:
            await some(client)
            assert "broken" in [one.kind for one in (await client.audit.verify()).flaws]


async def test_rows_that_somebody_cut_off_while_the_network_is_up_are_told_with_the_next_row(tmp_path: Path) -> None:
    async with up(tmp_path / "data") as client:
        await some(client)
        changed(tmp_path / "data", "DELETE FROM audit WHERE seq = 4")
        await client.keys.create("later", scopes=["tasks:read"])
        flaws = (await client.audit.verify()).flaws
        assert [(one.seq, one.kind) for one in flaws] == [(4, "broken")]
        assert "rows 4 to 4 are not there any more" in flaws[0].message
        (told,) = (await client.statistics.attention()).items
        assert (told.subject, "rows 4 to 4" in told.what) == ("audit_broken", True)
    assert [one.kind for one in check_folder(tmp_path / "data").flaws] == ["broken"]


async def test_a_head_of_another_key_is_told(tmp_path: Path) -> None:
    for name in ("data", "other"):
        async with up(tmp_path / name) as client:
            await some(client)
    (tmp_path / "data/keys/audit.json").write_bytes((tmp_path / "other/keys/audit.json").read_bytes())
    assert [flaw.kind for flaw in check_folder(tmp_path / "data").flaws] == ["head"]


async def test_rows_without_a_head_and_a_head_from_before_the_archive_are_told(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with up(data) as client:
        await some(client)
        *_, early = await exported(client, tmp_path / "early.jsonl")
        await some(client, 2)
        await archive(client)
    head = data / "keys/audit.json"
    head.unlink()
    changed(data, "DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit)")
    assert [flaw.kind for flaw in check_folder(data).flaws] == ["head"]
    head.write_bytes(early)
    head.chmod(0o600)
    assert [(flaw.seq, flaw.kind) for flaw in check_folder(data).flaws] == [(4, "head")]


async def test_an_export_ends_with_its_head_however_soon_it_is_made(tmp_path: Path) -> None:
    async with up(tmp_path / "data") as client:
        await some(client, 5)
        *rows, last = await exported(client, tmp_path / "export.jsonl")
        head = msgspec.json.decode(last, type=AuditHead)
        assert (head.seq, len(rows)) == (7, 7)
        (tmp_path / "data/keys/audit.json").write_bytes(last.replace(b'"seq":7', b'"seq":3'))
        *rows, _ = await exported(client, tmp_path / "export.jsonl")
        assert len(rows) == 3, "and never has rows behind it"


async def test_rows_that_stand_behind_the_head_of_an_earlier_export_are_told(tmp_path: Path) -> None:
    file = tmp_path / "export.jsonl"
    async with up(tmp_path / "data") as client:
        await some(client)
        *_, early = await exported(client, file)
        await some(client, 2)
        *rows, _ = await exported(client, file)
        anchor = msgspec.json.encode((await archive(client)).anchor)
    for end, behind in ((early, 5), (anchor, 6)):
        written(file, [*rows, end])
        result = await asyncio.to_thread(atlas, "audit", "verify", str(file))
        assert (result.exit_code, f"row {behind}: unsigned" in result.output) == (1, True), result.output


async def test_a_restored_network_has_its_log_as_it_was_at_the_backup(tmp_path: Path) -> None:
    async with up(tmp_path / "data") as client:
        await some(client)
        before = await client.audit.verify()
        backup = await client.backups.create()
        await some(client, 1)
    restore(Path(backup.path), tmp_path / "restored", force=False)
    restored = check_folder(tmp_path / "restored")
    assert (restored.rows, restored.flaws) == (5, [])
    (tmp_path / "restored/admin.key").write_text((tmp_path / "data/admin.key").read_text())
    async with up(tmp_path / "restored") as client:
        await some(client, 1)
        report = await client.audit.verify()
        assert (report.rows, report.flaws) == (6, [])
        rows = [row async for row in client.audit.list()][1:]
        assert (rows[0].action, rows[0].who.kind, rows[0].object.name) == ("backups.restore", "system", backup.name)
        assert (rows[0].previous, rows[1].hash) == (before.hash, before.hash)


async def test_an_export_is_checked_wherever_it_is(tmp_path: Path) -> None:
    file = tmp_path / "export.jsonl"
    async with up(tmp_path / "data") as client:
        await some(client)
    async with up(tmp_path / "data") as client:
        lines = await exported(client, file)
    head = msgspec.json.decode(lines[-1], type=AuditHead)
    assert (head.seq, len(lines)) == (4, 5)
    said = printed(await asyncio.to_thread(atlas, "audit", "verify", str(file), "--key", head.key))
    assert said.startswith("4 rows are as they were written.")
    assert head.key in said
    assert "not signed with" in complained(await asyncio.to_thread(atlas, "audit", "verify", str(file), "--key", "k"))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda lines: [lines[0].replace(b'"ok"', b'"no"'), *lines[1:]], "row 1: changed"),
        (lambda lines: [*lines[:1], *lines[2:]], "row 2: missing"),
        (lambda lines: [lines[1], lines[0], *lines[2:]], "row 1: missing"),
        (lambda lines: [*lines[:-2], lines[-1]], "row 4: cut_off"),
        (lambda lines: [*lines[:-1], lines[-1].replace(b'"seq":4', b'"seq":3')], "row 3: head"),
        (lambda lines: [*lines[:-1], lines[-1].replace(b'"key":"', b'"key":"A')], "row 4: head"),
        (lambda lines: lines[:-1], "does not end with the signed head"),
        (lambda lines: [lines[0][:-1] + b',"more":1}', *lines[1:]], "line 1 of"),
        (lambda _: [b"", b""], "does not end with the signed head"),
    ],
)
async def test_an_export_that_somebody_changed_is_told_with_its_row(tmp_path: Path, spoil: Spoil, told: str) -> None:
    file = tmp_path / "export.jsonl"
    async with up(tmp_path / "data") as client:
        await some(client)
    async with up(tmp_path / "data") as client:
        lines = await exported(client, file)
    written(file, spoil(lines))
    result = await asyncio.to_thread(atlas, "audit", "verify", str(file))
    assert result.exit_code == 1
    assert told in result.output


SOON = timedelta(hours=1)


def mode(path: str) -> str:
    return stat.filemode(Path(path).stat().st_mode)


async def archive(client: AsyncClient) -> AuditArchive:
    """Archive all rows but the last one."""
    return await client.audit.archive(datetime.now(UTC) + SOON)


async def test_archived_rows_are_checked_in_their_files_and_what_is_left_where_it_is(tmp_path: Path) -> None:
    file, data = tmp_path / "export.jsonl", tmp_path / "data"
    async with up(data) as client:
        await some(client)
        first = await archive(client)
        await some(client, 2)
        second = await archive(client)
        (told,) = [entry async for entry in client.audit.list(action="audit.archive", object="")][:1]
        assert (first.rows, second.rows, told.detail) == (3, 3, {"path": second.path, "rows": 3})
        assert (Path(second.path).parent, Path(second.path).name) == (data / "audit", "rows-4-6.jsonl")
        report = await client.audit.verify()
        assert (report.archived, report.rows, report.flaws) == (6, 2, [])
        await exported(client, file)
    assert mode(second.path) == "-rw-------"
    assert (check_folder(data).archived, check_folder(data).flaws) == (6, [])
    async with up(data) as client:
        assert (await client.audit.verify()).flaws == []
        await exported(client, file)
    paths = [first.path, second.path, str(file)]
    for some_of, rows in ((paths, 8), (paths[:1], 3), (paths[1:2], 3), (paths[1:], 5)):
        said = printed(await asyncio.to_thread(atlas, "audit", "verify", *some_of))
        assert said.startswith(f"{rows} rows are as they were written.")
    gap = complained(await asyncio.to_thread(atlas, "audit", "verify", paths[0], paths[2]))
    assert "does not go on behind row 3" in gap


async def test_rows_that_were_removed_are_no_archived_ones_without_the_anchor(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with up(data) as client:
        await some(client)
        early = (data / "keys/audit.json").read_bytes()
        await archive(client)
        await some(client, 2)
    anchor = data / "keys/audit-anchor.json"
    kept = anchor.read_bytes()
    anchor.rename(tmp_path / "away")
    assert [(flaw.seq, flaw.kind) for flaw in check_folder(data).flaws] == [(1, "missing")]
    async with up(data) as client:
        assert [flaw.kind for flaw in (await client.audit.verify()).flaws] == ["missing", "broken"]
    (tmp_path / "away").rename(anchor)
    for forged in (kept.replace(b'"archived":3', b'"archived":4'), early.replace(b'"seq"', b'"archived"')):
        anchor.write_bytes(forged)
        assert "anchor" in [flaw.kind for flaw in check_folder(data).flaws]
    anchor.write_bytes(kept)
    changed(data, "DELETE FROM audit WHERE seq = 4")
    flaw = check_folder(data).flaws[0]
    assert (flaw.seq, flaw.kind) == (4, "missing")


async def test_an_archive_that_somebody_changed_is_told(tmp_path: Path) -> None:
    async with up(tmp_path / "data") as client:
        await some(client)
        await archive(client)
        await some(client, 1)
        file = Path((await archive(client)).path)
    lines = await asyncio.to_thread(lambda: file.read_bytes().splitlines())
    for spoiled, told in (
        ([lines[0], *lines[2:]], "row 4: missing"),
        ([lines[0].replace(b'"archived":3', b'"archived":2'), *lines[1:]], "row 2: anchor"),
        ([*lines[:-1], lines[-1].replace(b'"archived":', b'"archived":1')], "head"),
        (lines[1:], "row 1: missing"),
        (lines[:-1], "does not end with the signed head"),
    ):
        written(file, spoiled)
        result = await asyncio.to_thread(atlas, "audit", "verify", str(file))
        assert (result.exit_code, told in result.output) == (1, True), result.output


async def test_a_backup_keeps_the_anchor_and_no_archive(tmp_path: Path) -> None:
    async with up(tmp_path / "data") as client:
        await some(client)
        await archive(client)
        backup = await client.backups.create()
    restore(Path(backup.path), tmp_path / "restored", force=False)
    restored = check_folder(tmp_path / "restored")
    assert (restored.archived, restored.flaws) == (3, [])
    assert not (tmp_path / "restored/audit").exists()


async def command(client: AsyncClient, folder: Path, *words: str) -> tuple[int, str]:
    """Run a command of an administrator's in a process of its own, for there its signals are waited for."""
    environ = {**os.environ, "ATLAS_API_URL": client.base_url, "ATLAS_API_KEY": (folder / "admin.key").read_text()}
    pipes = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.STDOUT}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "agentic_atlas", "audit", *words, env=environ, **pipes
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


async def test_a_backup_holds_a_whole_log_though_somebody_would_archive_it_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_it, go, copy = asyncio.Event(), asyncio.Event(), SqlStore.copy

    async def held(self: SqlStore, path: Path, told: Told) -> str:
        at_it.set()
        await go.wait()
        return await copy(self, path, told)

    monkeypatch.setattr(SqlStore, "copy", held)
    async with up(tmp_path / "data") as client:
        await some(client)
        backing_up = asyncio.create_task(client.backups.create())
        async with asyncio.timeout(10):
            await at_it.wait()
        await some(client, 5)
        key = (tmp_path / "data/admin.key").read_text()
        async with AsyncClient(client.base_url, api_key=key, patience=0.0) as impatient:
            with pytest.raises(Busy) as refused:
                await archive(impatient)
        assert refused.value.code == "backup_running"
        go.set()
        backup = await backing_up
        assert (await archive(client)).rows > 0
    restore(Path(backup.path), tmp_path / "restored", force=False)
    restored = check_folder(tmp_path / "restored")
    assert (restored.archived, restored.flaws) == (0, [])


async def test_rows_are_archived_on_the_command_line(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with up(data) as client:
        await some(client)
        code, said = await command(client, data, "archive", "--before", "1d")
        assert (code, said.startswith("no row of the audit log is older")) == (1, True), said
        code, said = await command(client, data, "archive", "--before", (datetime.now(UTC) + SOON).isoformat())
        assert (code, f"Rows 1 to 3 are in {data / 'audit/rows-1-3.jsonl'} now." in said) == (0, True), said
        code, said = await command(client, data, "archives")
        assert (code, re.findall(r"1 to 3 +.*rows-1-3\.jsonl", said) != []) == (0, True), said
        code, said = await command(client, data, "export", str(tmp_path / "export.jsonl"))
        assert (code, said.startswith("Wrote 2 rows to ")) == (0, True), "the last one, and that some were archived"
        code, said = await command(client, data, "verify")
        assert (code, re.findall("archived +up to row 3", said) != []) == (0, True), said


async def test_archives_are_listed_as_they_were_made_and_what_is_none_is_left_out(tmp_path: Path) -> None:
    async with up(tmp_path / "data") as client:
        assert await client.audit.archives() == []
        await some(client)
        made = await archive(client)
        for name in ("rows-4-9.jsonl", "rows-10-11.jsonl.bak", ".partial.jsonl"):
            (tmp_path / "data/audit" / name).write_text("{}\n")
        assert await client.audit.archives() == [made]
        (tmp_path / "data/audit/rows-1-3.jsonl").unlink()
        (tmp_path / "data/audit/rows-1-3.jsonl").symlink_to("/dev/zero")
        with pytest.raises(AtlasError, match="is a link"):
            await client.audit.archives()


async def test_what_cannot_be_archived_is_still_in_the_log(tmp_path: Path) -> None:
    async with up(tmp_path / "data") as client:
        await some(client)
        (tmp_path / "data/audit").write_text("in the way")
        key = (tmp_path / "data/admin.key").read_text()
        async with AsyncClient(client.base_url, api_key=key, patience=0.0) as impatient:
            with pytest.raises(Unavailable) as refused:
                await archive(impatient)
        assert refused.value.code == "archive_failed"
        report = await client.audit.verify()
        assert (report.archived, report.flaws) == (0, [])
        assert report.rows >= 4
