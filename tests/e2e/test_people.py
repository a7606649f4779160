"""People come in as they would: by the link that a new network prints, by invitations, and with their passwords."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pyotp
import pytest

from agentic_atlas import Client, Conflict, NotFound
from tests.e2e.processes import PATIENCE, Platform, python

ADMINS, ADAS = "tall trees by the sea", "small birds on a wire"


@pytest.fixture
def elsewhere(platform: Platform, tmp_path: Path) -> dict[str, str]:
    """The environment of a machine that is set up for no platform."""
    home = tmp_path / "elsewhere"
    home.mkdir()
    environ = {name: value for name, value in platform.environ.items() if not name.startswith("ATLAS_")}
    return environ | {"HOME": str(home), "XDG_CONFIG_HOME": str(home / "config")}


def atlas(environ: dict[str, str], *words: str, typed: str = "", code: int = 0) -> str:
    """Run a command with these lines in its stdin; return what it printed, or complained of."""
    done = subprocess.run(
        python("-m", "agentic_atlas", *words),
        env=environ,
        cwd=environ["HOME"],
        input=typed,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stderr if code else done.stdout


def first_login(platform: Platform) -> str:
    """Return the link that a network printed when it came up; empty: none."""
    assert platform.process is not None
    told = next(line for line in platform.process.lines if "api_url" in line)
    return str(json.loads(told).get("first_login", ""))


def test_people_come_in_by_links_and_passwords_from_the_first_on(platform: Platform, elsewhere: dict[str, str]) -> None:
    link = first_login(platform)
    assert link.startswith(f"{platform.url}/login#invitation=atlas_invite_")
    told = atlas(elsewhere, "users", "accept", link, typed=f"{ADMINS}\n")
    assert f"The password of admin is set: `atlas login {platform.url} --user admin`" in told
    assert "this link was used" in atlas(elsewhere, "users", "accept", link, typed=f"{ADMINS}\n", code=1)

    assert "You are admin" in atlas(elsewhere, "login", platform.url, "--user", "admin", typed=f"{ADMINS}\n")
    assert json.loads(atlas(elsewhere, "whoami", "--json"))["user"]["role"] == "admin"
    invited = atlas(elsewhere, "users", "invite", "ada", "--role", "viewer").strip()
    listed = json.loads(atlas(elsewhere, "users", "invitations", "--json"))["items"]
    assert [(one["user"], one["role"]) for one in listed] == [("ada", "viewer")]
    assert atlas(elsewhere, "users", "invitations").split()[:4] == ["USER", "ROLE", "MADE", "GOOD"]
    assert "`atlas users role ada admin`" in atlas(elsewhere, "users", "invite", "ada", "--role", "admin", code=1)
    assert atlas(elsewhere, "users", "invitations", "withdraw", "ada") == "Withdrew the link for ada.\n"
    assert "no link that can be used is for ada" in atlas(elsewhere, "users", "invitations", "withdraw", "ada", code=1)
    assert "this link was used" in atlas(elsewhere, "users", "accept", invited, typed=f"{ADAS}\n", code=1)
    invited = atlas(elsewhere, "users", "invite", "ada").strip()
    assert "a link, good until" in atlas(elsewhere, "users", "list")
    assert "12 to 256 characters" in atlas(elsewhere, "users", "accept", invited, typed="short\n", code=2)
    atlas(elsewhere, "users", "accept", invited, typed=f"{ADAS}\n")
    listed = json.loads(atlas(elsewhere, "users", "list", "--json"))["items"]
    assert [(one["name"], one["role"]) for one in listed] == [("ada", "viewer"), ("admin", "admin")]
    assert [one["password_at"] is not None for one in listed] == [True, True]
    assert [one["last_login_at"] is not None for one in listed] == [False, True]
    assert "password" in atlas(elsewhere, "users", "list")
    assert atlas(elsewhere, "users", "role", "ada", "member") == "Changed ada: member.\n"

    told = atlas(elsewhere, "login", platform.url, "--user", "ada", typed="wrong\n", code=1)
    assert "the name or the password is wrong" in told
    assert "API key" not in told
    atlas(elsewhere, "login", platform.url, "--user", "ada", typed=f"{ADAS}\n")
    assert "only an administrator" in atlas(elsewhere, "users", "list", code=1)
    assert platform.atlas("users", "disable", "ada") == "Disabled ada: member, disabled.\n"
    assert "not valid any more" in atlas(elsewhere, "whoami", code=1)
    assert platform.atlas("users", "enable", "ada") == "Enabled ada: member.\n"
    atlas(elsewhere, "whoami")
    assert platform.atlas("users", "delete", "ada", "--yes") == "Removed ada.\n"
    assert "the name or the password" in atlas(
        elsewhere, "login", platform.url, "--user", "ada", typed=f"{ADAS}\n", code=1
    )

    platform.stop()
    assert platform.process is not None
    output = platform.process.output.replace(link, "")
    for secret in (ADMINS, ADAS, "atlas_invite_", "$argon2id$"):
        assert secret not in output
    platform.start()
    assert first_login(platform) == ""


def test_one_s_own_password_one_time_passwords_and_sessions(platform: Platform, elsewhere: dict[str, str]) -> None:
    atlas(elsewhere, "users", "accept", first_login(platform), typed=f"{ADMINS}\n")
    atlas(elsewhere, "login", platform.url, "--user", "admin", typed=f"{ADMINS}\n")
    told = atlas(elsewhere, "users", "password", typed=f"{ADMINS}\n{ADAS}\n")
    assert told.startswith("Your password is changed; sessions that ended: 0, API keys of log-ins: 0. Keys made ")
    with Client(platform.url, api_key=platform.api_key) as client:
        made = client.account.begin_totp(ADAS)
        assert "otpauth" not in repr(made)
        authenticator = pyotp.parse_uri(made.uri)
        codes = client.account.confirm_totp(authenticator.now())
        assert client.account.get().totp_at is not None
        told = atlas(elsewhere, "login", platform.url, "--user", "admin", typed=f"{ADAS}\n", code=2)
        assert "One-time password" in told
        atlas(elsewhere, "login", platform.url, "--user", "admin", typed=f"{ADAS}\n{codes[0]}\n")
        atlas(elsewhere, "users", "totp", "--off", typed=f"{ADAS}\n")
        assert client.account.get().totp_at is None
        assert client.account.sessions() == client.people.sessions("admin") == []
        assert client.account.end_sessions() == client.people.end_sessions("admin") == 0
        assert client.account.identities() == client.people.identities("admin") == []
        with pytest.raises(NotFound):
            client.account.remove_identity("idn_none", ADAS)
        invitation = client.people.invite("eve", "viewer")
        with pytest.raises(NotFound):
            client.people.remove_identity("eve", "idn_none")
        with pytest.raises(Conflict, match="`atlas users password`"):
            client.people.invite("admin")
        assert "atlas_invite_" not in repr(invitation)
        assert [one.user for one in client.people.invitations()] == ["eve"]
        client.people.revoke_invitation(invitation.id)
        assert client.people.update("eve", role="admin").role == "admin"
        assert client.people.create("bob").role == "member"
        assert client.people.end_totp("eve").name == "eve"
        client.people.delete("eve")
        assert [one.name for one in client.people.list()] == ["admin", "bob"]
    for words in (("--remove", "idn_none"), ("--remove", "idn_none", "--user", "bob")):
        told = atlas(elsewhere, "users", "identities", *words, typed=f"{ADAS}\n", code=1)
        assert "there is no identity 'idn_none'" in told
    assert atlas(elsewhere, "users", "sessions").split() == ["SESSION", "USED", "BEGUN", "FROM", "WITH"]
