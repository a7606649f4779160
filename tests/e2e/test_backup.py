"""Backups and restores of real networks, with the commands a person types; and one owner of a data folder."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from agentic_atlas import Client
from agentic_atlas.backend.archive.tarball import read
from agentic_atlas.errors import AtlasError, NotFound, TaskError
from tests.e2e.processes import PATIENCE, Platform, Process, connected
from tests.e2e.programs import ECHO
from tests.integration.compose.data_folders import made

ONCE = """
import asyncio
from agentic_atlas import Agent, Context

agent = Agent("slow", concurrency=4)

@agent.skill(delivery="at_most_once")
async def once(ctx: Context) -> str:
    ctx.log.info("once begun")
    await asyncio.sleep(600)
    return "done"

@agent.skill
async def again(ctx: Context) -> str:
    ctx.log.info("again begun", attempt=ctx.attempt)
    try:
        await asyncio.sleep(0 if ctx.attempt > 1 else 600)
    except asyncio.CancelledError:
        print("again told to stop", flush=True)
        raise
    return f"attempt {ctx.attempt}"

@agent.skill
async def quick() -> str:
    return "here"

if __name__ == "__main__":
    agent.run()
"""


def data_of(platform: Platform) -> Path:
    return platform.folder / "data"


def test_a_network_lost_after_a_backup_goes_on_from_it_with_its_tokens_keys_and_waiting_tasks(
    platform: Platform, client: Client
) -> None:
    token = platform.token("echo")
    key = platform.api_key
    with platform.agent("echo", ECHO, token=token) as agent:
        agent.wait_for(connected)
        done = client.submit("echo", "say", text="before")
        assert done.result(PATIENCE) == "before"
    waiting = [client.submit("echo", "say", text=f"number {number}") for number in range(20)]
    backup = json.loads(platform.atlas("backup", "mine.tar", "--json"))
    assert backup["path"] == str(platform.folder / "mine.tar")
    late = client.submit("echo", "say", text="after the backup")
    platform.kill()
    shutil.rmtree(data_of(platform))

    platform.atlas("restore", "mine.tar")
    platform.start()
    with platform.agent("echo", ECHO, token=token) as agent, Client(platform.url, api_key=key) as again:
        agent.wait_for(connected)
        assert [again.tasks.get(task.id).result(PATIENCE) for task in waiting] == [f"number {n}" for n in range(20)]
        assert again.tasks.get(done.id).info.output == "before"
        with pytest.raises(AtlasError):
            again.tasks.get(late.id)
        assert again.people.whoami().user.role == "admin"
        assert platform.api_key == key


@pytest.fixture
def hasty(tmp_path: Path) -> Iterator[Platform]:
    """A network that keeps the tasks of a cut connection for a second."""
    running = Platform(tmp_path / "network", grace="1")
    running.start()
    yield running
    running.kill()


def begin(platform: Platform, agent: Process, skill: str) -> str:
    with Client(platform.url, api_key=platform.api_key) as client:
        task = client.submit("slow", skill)
    agent.wait_for(f"{skill} begun")
    return task.id


def lose_and_restore(platform: Platform) -> None:
    platform.kill()
    shutil.rmtree(data_of(platform))
    platform.atlas("restore", "mine.tar")


def test_tasks_that_ran_at_the_backup_are_taken_up_again_and_those_for_once_are_not(hasty: Platform) -> None:
    token = hasty.token("slow")
    with hasty.agent("slow", ONCE, token=token) as agent:
        agent.wait_for(connected)
        once, again = begin(hasty, agent, "once"), begin(hasty, agent, "again")
        hasty.atlas("backup", "mine.tar")
    lose_and_restore(hasty)
    hasty.start()
    with hasty.agent("slow", ONCE, token=token), Client(hasty.url, api_key=hasty.api_key) as client:
        assert client.tasks.get(again).result(PATIENCE) == "attempt 2"
        with pytest.raises(TaskError) as lost:
            client.tasks.get(once).result(PATIENCE)
        assert lost.value.code == "outcome_unknown"


def test_an_agent_that_outlives_the_loss_goes_on_and_drops_what_the_restored_network_does_not_know(
    platform: Platform,
) -> None:
    with platform.agent("slow", ONCE) as agent:
        agent.wait_for(connected)
        known = begin(platform, agent, "once")
        platform.atlas("backup", "mine.tar")
        unknown = begin(platform, agent, "again")
        lose_and_restore(platform)
        platform.start()
        agent.wait_for("again told to stop")
        with Client(platform.url, api_key=platform.api_key) as client:
            assert client.call("slow", "quick") == "here"
            assert client.tasks.get(known).info.state == "working"
            with pytest.raises(NotFound):
                client.tasks.get(unknown)
        assert "Traceback" not in agent.output
        assert platform.process is not None
        assert "Traceback" not in platform.process.output


def test_a_backup_is_made_by_whoever_owns_the_data_the_server_or_the_command(
    platform: Platform, client: Client
) -> None:
    network = client.people.whoami().network
    running = json.loads(platform.atlas("backup", "--json"))
    assert Path(running["path"]).parent == data_of(platform) / "backups"
    assert [backup.name for backup in client.backups.list()] == [running["name"]]
    named = platform.atlas("backup", "named.tar", "--data-dir", str(data_of(platform)))
    assert str(platform.folder / "named.tar") in named
    assert "is there already" in platform.atlas("backup", "named.tar", check=False)
    assert platform.stop() == 0
    stopped = json.loads(platform.atlas("backup", "later", "--json"))
    backups = (running["path"], platform.folder / "named.tar", stopped["path"])
    assert {read(Path(one)).network for one in backups} == {network}


def test_a_running_network_that_cant_be_asked_says_why_and_is_not_copied_beside_its_server(platform: Platform) -> None:
    platform.environ["ATLAS_API_URL"] = "http://127.0.0.1:9"
    platform.environ["ATLAS_API_KEY"] = "atlas_key"
    said = platform.atlas("backup", check=False)
    assert "the network runs and has to be asked for a backup, which failed: cannot reach" in said
    assert f"in use by process {platform.process.pid}" in said  # type: ignore[union-attr]
    assert not (data_of(platform) / "backups").exists()


def test_a_restore_over_a_running_network_is_refused_and_over_a_stopped_one_keeps_the_old_aside(
    platform: Platform,
) -> None:
    platform.atlas("backup", "mine.tar")
    said = platform.atlas("restore", "mine.tar", "--force", check=False)
    assert "is in use by process" in said
    assert platform.stop() == 0
    assert "--force" in platform.atlas("restore", "mine.tar", check=False)
    done = platform.atlas("restore", "mine.tar", "--force")
    assert "What was there is in" in done
    (aside,) = data_of(platform).glob("before-restore-*")
    assert str(aside) in done
    platform.start()


def test_a_restore_that_was_killed_is_finished_by_the_next_start(platform: Platform, client: Client) -> None:
    network = client.people.whoami().network
    platform.atlas("backup", "mine.tar")
    assert platform.stop() == 0
    data = data_of(platform)
    # As a restore leaves it that was killed right after it was decided.
    decided = data / ".restored-T"
    platform.atlas("restore", "mine.tar", "--data-dir", str(decided))
    (decided / "atlas.sqlite3.lock").unlink()
    os.truncate(data / "atlas.sqlite3", 0)
    platform.start()
    with Client(platform.url, api_key=platform.api_key) as again:
        assert again.people.whoami().network == network
    assert (data / "before-restore-T" / "atlas.sqlite3").stat().st_size == 0


@pytest.mark.timeout(120)
def test_a_server_killed_in_the_middle_of_a_backup_leaves_no_file_that_looks_whole(tmp_path: Path) -> None:
    platform = Platform(tmp_path / "network")
    made(data_of(platform), 2_000, size=30_000)
    folder = data_of(platform) / "backups"
    platform.start()
    try:
        for kind in ("sqlite3", "tar"):
            asking = threading.Thread(target=ask, args=(platform,))
            asking.start()
            wait_for_bytes(folder, kind)
            platform.kill()
            asking.join(PATIENCE)
            assert {path.name.partition("-")[0] for path in folder.iterdir()} == {".partial"}
            platform.start()
            assert list(folder.iterdir()) == []
            with Client(platform.url, api_key=platform.api_key) as client:
                assert client.backups.list() == []
        platform.atlas("backup", "whole.tar")
        platform.atlas("restore", "whole.tar", "--data-dir", "other")
    finally:
        platform.kill()


def ask(platform: Platform) -> None:
    with Client(platform.url, api_key=platform.api_key, patience=0) as client, suppress(AtlasError):
        client.backups.create()


def wait_for_bytes(folder: Path, kind: str) -> None:
    """Return as soon as a half-made file of this kind has grown."""
    ends = time.monotonic() + PATIENCE
    while True:
        with suppress(FileNotFoundError):
            if any(path.stat().st_size > 1_000_000 for path in folder.glob(f".partial-*.{kind}")):
                return
        assert time.monotonic() < ends, f"no {kind} grew"


def test_a_second_network_on_a_folder_gets_one_sentence_that_names_the_first(platform: Platform) -> None:
    assert platform.process is not None
    said = platform.atlas("up", "--http-port", "0", "--router-port", "0", check=False)
    (line,) = said.splitlines()
    assert f"is in use by process {platform.process.pid}; stop it, or set ATLAS_DATA_DIR to another folder" in line


def test_a_start_gives_no_alarm_to_somebody_who_has_done_nothing_wrong(platform: Platform) -> None:
    assert platform.process is not None
    assert platform.process.output.splitlines()[0].startswith("{"), platform.process.output


def test_a_backup_that_is_none_is_one_sentence(platform: Platform) -> None:
    (platform.folder / "none.tar").write_text("nothing")
    with tarfile.open(platform.folder / "odd.tar", "w") as tar:
        tar.add(platform.folder / "none.tar", "../../none.tar")
    for name in ("none.tar", "odd.tar"):
        said = platform.atlas("restore", name, "--data-dir", "other", check=False)
        assert "this is no whole backup" in said
        assert len(said.splitlines()) == 1
    assert not (platform.folder / "other").exists()
