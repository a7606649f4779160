"""The folder of keys: real files, real permissions, real deaths."""

import json
import os
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agentic_atlas.auth import (
    KeyRing,
    SigningKey,
    load_or_create_ring,
    load_or_create_sealing_key,
    mint,
    ring_files,
    save_ring,
    verify,
)
from agentic_atlas.files import FileRefused
from tests.unit.auth.forge import CLAIMS, KEY, NETWORK, NOW, OTHER_KEY


def same_key() -> Ed25519PrivateKey:
    return KEY.private


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a ring of `KEY`."""
    path = tmp_path / "data" / "keys"
    load_or_create_ring(path, NOW, same_key)
    return path


def test_the_first_start_makes_a_ring_and_the_second_finds_it(tmp_path: Path) -> None:
    first = load_or_create_ring(tmp_path / "data" / "keys", NOW + 0.7)
    assert first.active.created_at == NOW
    second = load_or_create_ring(tmp_path / "data" / "keys", NOW + 1000)
    assert second == first
    assert verify(mint(first, CLAIMS), second.verification, network=NETWORK, now=NOW) == CLAIMS


def test_nobody_else_can_read_what_is_written(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        load_or_create_ring(tmp_path / "keys", NOW)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "keys").iterdir()} == {0o600}


def test_the_folder_holds_one_key_file_and_the_ring(folder: Path) -> None:
    assert names(folder) == {f"{KEY.kid}.pem", "ring.json"}
    assert b"PRIVATE" not in (folder / "ring.json").read_bytes()


@pytest.mark.parametrize("name", ["ring.json", f"{KEY.kid}.pem"])
@pytest.mark.parametrize("mode", [0o640, 0o602])
def test_a_file_open_to_others_is_refused_with_the_command_that_closes_it(folder: Path, name: str, mode: int) -> None:
    path = folder / name
    path.chmod(mode)
    with pytest.raises(FileRefused) as caught:
        load_or_create_ring(folder, NOW)
    assert caught.value.code == "key_file_refused"
    assert f"chmod 600 {path}" in str(caught.value)
    path.chmod(0o600)
    assert load_or_create_ring(folder, NOW).active.kid == KEY.kid


def test_a_folder_open_to_others_is_refused(folder: Path) -> None:
    folder.chmod(0o750)
    with pytest.raises(FileRefused, match=f"chmod 700 {folder}"):
        load_or_create_ring(folder, NOW)
    with pytest.raises(FileRefused, match="chmod 700"):
        save_ring(folder, KeyRing(KEY), NOW)


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{}",
        b'{"active": "x", "keys": []}',
        json.dumps({"active": OTHER_KEY.kid, "keys": []}).encode(),
    ],
    ids=["empty", "no keys", "no key", "unknown active"],
)
def test_a_damaged_ring_is_refused_and_left_as_it_is(folder: Path, damage: bytes) -> None:
    (folder / "ring.json").write_bytes(damage)
    with pytest.raises(FileRefused, match="restore the folder from a backup"):
        load_or_create_ring(folder, NOW)
    assert (folder / "ring.json").read_bytes() == damage
    assert f"{KEY.kid}.pem" in names(folder)


def test_an_active_key_that_is_not_among_the_keys_is_refused(folder: Path) -> None:
    document = json.loads((folder / "ring.json").read_text())
    (folder / "ring.json").write_text(json.dumps({**document, "active": "../../etc/passwd"}))
    with pytest.raises(FileRefused):
        load_or_create_ring(folder, NOW)


def test_a_key_file_that_is_missing_is_refused_and_no_new_ring_made(folder: Path) -> None:
    (folder / f"{KEY.kid}.pem").unlink()
    with pytest.raises(FileRefused, match="restore the folder from a backup"):
        load_or_create_ring(folder, NOW)
    assert names(folder) == {"ring.json"}


@pytest.mark.parametrize("content", [b"", KEY.to_pem()[:60], OTHER_KEY.to_pem()], ids=["empty", "cut", "another"])
def test_a_key_file_with_other_content_is_refused(folder: Path, content: bytes) -> None:
    (folder / f"{KEY.kid}.pem").write_bytes(content)
    with pytest.raises(FileRefused) as caught:
        load_or_create_ring(folder, NOW)
    assert "PRIVATE" not in str(caught.value)


def test_a_place_that_cannot_be_written_is_a_refusal_too(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FileRefused, match="cannot be used"):
        load_or_create_ring(tmp_path / "file" / "keys", NOW)


def test_a_rotation_is_kept_and_the_old_private_key_is_gone(folder: Path) -> None:
    rotated = load_or_create_ring(folder, NOW).rotate(OTHER_KEY, NOW, overlap=100)
    save_ring(folder, rotated, NOW)
    assert load_or_create_ring(folder, NOW) == rotated
    assert names(folder) == {f"{OTHER_KEY.kid}.pem", "ring.json"}


def test_a_rotation_without_overlap_removes_the_old_private_key_too(folder: Path) -> None:
    save_ring(folder, KeyRing(KEY).rotate(OTHER_KEY, NOW, overlap=0), NOW)
    assert names(folder) == {f"{OTHER_KEY.kid}.pem", "ring.json"}


def test_a_private_key_left_by_a_killed_rotation_is_removed_at_the_next_start(folder: Path) -> None:
    save_ring(folder, KeyRing(KEY).rotate(OTHER_KEY, NOW, overlap=100), NOW)
    (folder / f"{KEY.kid}.pem").write_bytes(KEY.to_pem())
    load_or_create_ring(folder, NOW)
    assert names(folder) == {f"{OTHER_KEY.kid}.pem", "ring.json"}


@pytest.mark.parametrize("name", ["ring.json", f"{KEY.kid}.pem"])
def test_a_file_that_grew_beyond_its_limit_is_not_read(folder: Path, name: str) -> None:
    with (folder / name).open("ab") as file:
        file.write(b" " * 70_000)
    with pytest.raises(FileRefused, match="is longer than"):
        load_or_create_ring(folder, NOW)


def test_a_file_that_is_no_key_of_ours_is_not_removed(folder: Path) -> None:
    (folder / "tls.pem").write_bytes(b"somebody's")
    save_ring(folder, KeyRing(KEY).rotate(OTHER_KEY, NOW, overlap=10), NOW)
    assert (folder / "tls.pem").read_bytes() == b"somebody's"


def test_of_two_that_start_at_once_the_first_decides(tmp_path: Path) -> None:
    winners: list[KeyRing] = []

    def generate_late() -> Ed25519PrivateKey:
        winners.append(load_or_create_ring(tmp_path / "keys", NOW, same_key))
        return OTHER_KEY.private

    assert load_or_create_ring(tmp_path / "keys", NOW, generate_late) == winners[0]
    assert names(tmp_path / "keys") == {f"{KEY.kid}.pem", "ring.json"}


def test_a_half_written_start_is_begun_again(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    (keys / f"{KEY.kid}.pem").write_bytes(KEY.to_pem()[:30])
    (keys / ".abc.tmp").write_bytes(b"-----BEGIN")
    assert load_or_create_ring(keys, NOW, same_key).active.kid == KEY.kid
    assert load_or_create_ring(keys, NOW).active.kid == KEY.kid


DIE_AT_EVERY_STEP = """
import os, sys
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from agentic_atlas.auth import KeyRing, SigningKey, load_or_create_ring, save_ring

KEYS = [SigningKey(Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32), 1000) for n in (1, 2, 3)]
ROTATED = KeyRing(KEYS[0]).rotate(KEYS[1], 1000, overlap=100)

def create(folder):
    load_or_create_ring(folder, 1000, lambda: KEYS[0].private)

def rotate(folder):
    save_ring(folder, ROTATED, 1000)

def dies(action, folder, step):
    # Run action in a child that ends itself, as kill -9 would, before its step-th dealing with the folder.
    child = os.fork()
    if child == 0:
        left = step
        def watch(event, args):
            nonlocal left
            if event.startswith(("open", "os.")) and args and str(args[0]).startswith(str(folder)):
                left -= 1
                if left < 0:
                    os._exit(9)
        sys.addaudithook(watch)
        action(folder)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9

def every_death(action, prepare, accepted, base):
    step = 0
    while True:
        folder = base / str(step)
        prepare(folder)
        died = dies(action, folder, step)
        ring = load_or_create_ring(folder, 1000, lambda: KEYS[2].private)
        assert ring in accepted, (action, step, ring)
        assert load_or_create_ring(folder, 1000) == ring
        rotate(folder)
        assert load_or_create_ring(folder, 1000) == ROTATED
        assert [p.stem for p in folder.glob("*.pem")] == [KEYS[1].kid]
        if not died:
            return step
        step += 1

def load_during_rotation(folder):
    # The rotation happens when the old ring has been read and its key is about to be.
    create(folder)
    if os.fork() == 0:
        pending = [rotate]
        def watch(event, args):
            if event == "open" and str(args[0]).endswith(KEYS[0].kid + ".pem") and pending:
                pending.pop()(folder)
        sys.addaudithook(watch)
        ring = load_or_create_ring(folder, 1000)
        os._exit(0 if ring == ROTATED and not pending else 1)
    return os.waitstatus_to_exitcode(os.wait()[1])

base = Path(sys.argv[1])
assert load_during_rotation(base / "race") == 0, "a rotation during the reading was not survived"
print(every_death(create, lambda folder: None, [KeyRing(KEYS[0]), KeyRing(KEYS[2])], base / "create"))
print(every_death(rotate, create, [KeyRing(KEYS[0]), ROTATED], base / "rotate"))
"""


def test_a_process_killed_or_overtaken_at_any_step_finds_a_whole_ring(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(DIE_AT_EVERY_STEP), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    deaths = [int(line) for line in done.stdout.split()]
    assert all(count >= 6 for count in deaths), "the steps were not seen"


def test_a_ring_that_was_saved_elsewhere_can_be_put_into_a_new_folder(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    ring = KeyRing(SigningKey(KEY.private, NOW))
    save_ring(keys, ring, NOW)
    assert load_or_create_ring(keys, NOW) == ring


def test_the_key_that_seals_is_made_once_and_goes_into_backups(folder: Path) -> None:
    assert "sealing.key" not in ring_files(folder)
    first = load_or_create_sealing_key(folder, lambda size: b"k" * size)
    assert first == load_or_create_sealing_key(folder, lambda size: b"o" * size) == b"k" * 32
    assert stat.S_IMODE((folder / "sealing.key").stat().st_mode) == 0o600
    assert ring_files(folder)["sealing.key"] == (folder / "sealing.key").read_bytes()


@pytest.mark.parametrize("content", [b"", b"c2hvcnQ", b"\xff", b"k" * 5_000])
def test_a_damaged_key_that_seals_is_refused_with_what_to_do(folder: Path, content: bytes) -> None:
    load_or_create_sealing_key(folder, bytes)
    (folder / "sealing.key").write_bytes(content)
    with pytest.raises(FileRefused, match="from a backup"):
        load_or_create_sealing_key(folder, bytes)
