"""A token that is not good enough is refused, and the agent says what to do."""

import base64
import contextlib
import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agentic_atlas import Client, TaskError, Unavailable
from agentic_atlas.sdk import dotenv_file
from tests.e2e.processes import PATIENCE, Platform, Process, connected
from tests.e2e.programs import ECHO
from tests.e2e.test_spool import kept_in, until


def signing_key(platform: Platform) -> tuple[str, Ed25519PrivateKey]:
    path = next(one for one in (platform.folder / "data" / "keys").glob("*.pem") if one.stem != "audit")
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    return path.stem, key


def good(platform: Platform) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and claims of a token that the platform issued."""
    token = platform.token("echo")
    return jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})


def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """Return a token of algorithm `none`; its signature is there, for without one the agent would not even send it."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims)]
    return ".".join([*parts, "AA"])


def forged(platform: Platform, kind: str) -> str:
    kid, key = signing_key(platform)
    header, claims = good(platform)

    def sign(claims: dict[str, Any], by: Any = key, algorithm: str = "EdDSA", **more: str) -> str:
        return jwt.encode(claims, by, algorithm, headers={"typ": "agent+jwt", "kid": kid} | more)

    if kind == "hs256":
        public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return sign(claims, public, "HS256")
    changes: dict[str, dict[str, Any]] = {
        "expired": {"iat": 1, "nbf": 1, "exp": 2},
        "not_yet_valid": {"nbf": claims["exp"] - 10},
        "audience": {"aud": "somebody-else"},
        "issuer": {"iss": "atlas:net_other"},
    }
    if kind in changes:
        return sign(claims | changes[kind])
    return {
        "malformed": "eyJhbGciOiJFZERTQSJ9.e30.c2lnbmF0dXJl",
        "foreign_key": sign(claims, Ed25519PrivateKey.generate()),
        "none": unsigned(header | {"alg": "none"}, claims),
        "typ": sign(claims, typ="JWT"),
        "unknown_token": sign(claims | {"jti": "tok_of_nobody"}),
    }[kind]


@pytest.mark.parametrize(
    "kind",
    [
        "malformed", "foreign_key", "none", "hs256", "audience", "issuer", "typ",
        "unknown_token",
    ],
)  # fmt: skip
def test_a_bad_token_is_refused_and_the_agent_says_what_to_do(shared_platform: Platform, kind: str) -> None:
    with shared_platform.agent("echo", ECHO, token=forged(shared_platform, kind)) as agent:
        assert agent.wait() != 0
        assert "Traceback" not in agent.output
        assert "atlas tokens create" in agent.output or "clock" in agent.output, agent.output
    online = json.loads(shared_platform.atlas("agents", "show", "echo", "--json"))["instances_online"]
    assert online == 0


def test_a_token_of_another_agent_is_refused_and_that_agent_stays_as_it_is(shared_platform: Platform) -> None:
    token = shared_platform.token("owner")
    with shared_platform.agent("owner", ECHO, token=token) as agent:
        assert agent.wait() == 2
        assert "it is for owner, the code declares echo" in agent.output
        assert "atlas tokens create AGENT" in agent.output
        assert "Traceback" not in agent.output
    assert json.loads(shared_platform.atlas("agents", "show", "owner", "--json"))["skills"] == []


def test_a_token_whose_time_has_not_come_is_tried_again(shared_platform: Platform) -> None:
    with shared_platform.agent("echo", ECHO, token=forged(shared_platform, "not_yet_valid")) as agent:
        said = agent.wait_for("the token becomes valid in")
        assert "set the clocks" in said
        assert "Trying again" in said
        assert agent.stop() == 0


@pytest.mark.parametrize("token", ["x" * 5000, "two words", '"quoted.token.x"', "Bearer a.b.c"])
def test_a_token_that_can_not_be_one_is_refused_before_anything_is_sent(shared_platform: Platform, token: str) -> None:
    with shared_platform.agent("echo", ECHO, token=token) as agent:
        assert agent.wait() == 2
        assert "AGENT_JWT_TOKEN" in agent.output
        assert token not in agent.output


def test_without_a_token_the_agent_says_where_to_get_one(shared_platform: Platform, tmp_path: Path) -> None:
    with shared_platform.agent("echo", ECHO, token=" ", AGENT_JWT_TOKEN="") as agent:
        assert agent.wait() == 2
        assert "AGENT_JWT_TOKEN" in agent.output
        assert "atlas tokens create" in agent.output


def new_token_beside(agent: Process, platform: Platform) -> None:
    """Have a new token written where the agent's sentence says."""
    platform.atlas("tokens", "create", "echo", "--env", str(agent.folder / ".env"))


def test_a_revoked_token_ends_its_connection_and_a_new_one_brings_the_agent_back(
    platform: Platform, client: Client
) -> None:
    token = platform.token("echo")
    [listed] = client.tokens.list("echo")
    with platform.agent("echo", ECHO, token=token) as agent:
        agent.wait_for(connected)
        client.tokens.revoke(listed.id)
        said = agent.wait_for("the token has been revoked")
        assert "atlas tokens create" in said
        assert "comes back by itself" in said
        new_token_beside(agent, platform)
        agent.wait_for("back after")
        assert client.call("echo", "say", text="here again") == "here again"
        assert agent.stop() == 0
        assert agent.output.count("has been revoked") == 1


def test_an_agent_whose_token_s_key_is_withdrawn_waits_and_a_new_token_brings_it_back(
    platform: Platform, client: Client
) -> None:
    old = platform.token("echo")
    with platform.agent("echo", ECHO, token=old) as agent:
        agent.wait_for(connected)
        client.keys.rotate()
        client.keys.withdraw(jwt.get_unverified_header(old)["kid"])
        said = agent.wait_for("the token has been revoked")
        assert "key_withdrawn" in said
        assert "comes back by itself" in said
        [ended] = client.tokens.list("echo")
        assert (ended.status, ended.in_use) == ("withdrawn", False)
        new_token_beside(agent, platform)
        agent.wait_for("back after")
        assert client.call("echo", "say", text="here again") == "here again"
        assert agent.stop() == 0
    with platform.agent("echo", ECHO, token=old) as started:
        assert started.wait() == 2, "what is wrong from the start ends it"
        assert "atlas tokens create" in started.output


@pytest.mark.parametrize("kind", ["expired", "revoked"])
def test_an_agent_that_is_started_with_a_token_that_is_over_waits_for_another(
    platform: Platform, client: Client, kind: str
) -> None:
    token = forged(platform, "expired") if kind == "expired" else platform.token("echo")
    for one in client.tokens.list("echo"):
        client.tokens.revoke(one.id)
    with platform.agent("echo", ECHO, token=token) as agent:
        agent.wait_for("comes back by itself")
        new_token_beside(agent, platform)
        agent.wait_for(connected)
        assert agent.stop() == 0


def test_an_agent_that_waits_for_a_token_ends_when_it_is_told_to(shared_platform: Platform) -> None:
    with shared_platform.agent("echo", ECHO, token=forged(shared_platform, "expired")) as agent:
        agent.wait_for("comes back by itself")
        assert agent.stop() == 0


def test_a_disabled_agent_waits_and_is_back_when_it_is_enabled(platform: Platform, client: Client) -> None:
    def disable(*, disabled: bool) -> None:
        headers = {"Authorization": f"Bearer {platform.api_key}"}
        url = f"{platform.url}/api/v1/agents/echo"
        httpx.patch(url, json={"disabled": disabled}, headers=headers).raise_for_status()

    with platform.agent("echo", ECHO) as agent:
        agent.wait_for(connected)
        disable(disabled=True)
        assert "have its owner enable it" in agent.wait_for("this agent or its owner is disabled")
        disable(disabled=False)
        agent.wait_for("back after")
        assert client.call("echo", "say", text="here again") == "here again"
        assert agent.stop() == 0


LONG = """
import asyncio, os
from pathlib import Path
from agentic_atlas import Agent

agent = Agent("echo")

@agent.skill
async def say(text: str) -> str:
    return text

@agent.skill
async def wait(text: str) -> str:
    while not Path(os.environ["GATE"]).exists():
        await asyncio.sleep(0.01)
    return text

if __name__ == "__main__":
    agent.run()
"""


PID = """
import os
from agentic_atlas import Agent

agent = Agent("echo")

@agent.skill
async def pid() -> int:
    return os.getpid()

if __name__ == "__main__":
    agent.run()
"""


def until_it_takes_no_more(client: Client) -> None:
    ends = time.monotonic() + PATIENCE
    with contextlib.suppress(Unavailable, TaskError):
        while time.monotonic() < ends:
            client.call("echo", "say", text="still here")
        raise AssertionError("it went on for ever")


def test_what_runs_when_a_token_expires_is_finished_and_the_process_goes_on_with_the_next(
    platform: Platform, client: Client, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    with platform.agent(
        "echo", LONG, token=platform.token("echo", expires_in=3, renewable=False), GATE=str(gate)
    ) as agent:
        agent.wait_for(connected)
        task = client.submit("echo", "wait", text="done in the end")
        until_it_takes_no_more(client)
        gate.touch()
        assert task.result(PATIENCE) == "done in the end"
        agent.wait_for("the token has expired")
        assert task.refresh().attempt == 1
        new_token_beside(agent, platform)
        agent.wait_for("back after")
        assert client.call("echo", "say", text="and more") == "and more"


@pytest.mark.parametrize("late", [False, True], ids=["at once", "when the old one has ended"])
def test_an_agent_goes_on_with_the_token_that_a_rotation_put_beside_it_whatever_runs(
    platform: Platform, client: Client, tmp_path: Path, late: bool
) -> None:
    gate = tmp_path / "gate"
    with platform.agent("echo", LONG, token=platform.token("echo"), in_file=True, GATE=str(gate)) as agent:
        agent.wait_for(connected)
        task = client.submit("echo", "wait", text="done in the end")
        agent.wait_for("task received")
        (token,) = client.tokens.list("echo")
        if late:
            secret = client.tokens.rotate(token.id, overlap=2).token
            agent.wait_for("another token was made in the place of this one")
            until_it_takes_no_more(client)
            dotenv_file.replace_value(agent.folder / ".env", "AGENT_JWT_TOKEN", secret)
        else:
            platform.atlas("tokens", "rotate", token.id, "--env", str(agent.folder / ".env"))
        agent.wait_for("back after")
        assert client.call("echo", "say", text="and more") == "and more"
        gate.touch()
        assert task.result(PATIENCE) == "done in the end"
        assert task.refresh().attempt == 1
        assert [one.status for one in client.tokens.list("echo") if one.in_use] == ["active"]
        assert "waits" not in agent.output
        assert agent.stop() == 0


def test_another_token_beside_an_agent_is_for_when_its_own_ends_and_what_runs_goes_on(
    platform: Platform, client: Client, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    with platform.agent("echo", LONG, token=platform.token("echo"), in_file=True, GATE=str(gate)) as agent:
        agent.wait_for(connected)
        (first,) = client.tokens.list("echo")
        task = client.submit("echo", "wait", text="done in the end")
        agent.wait_for("task received")
        new_token_beside(agent, platform)
        platform.stop()
        platform.start()
        agent.wait_for("back after")
        gate.touch()
        assert task.result(PATIENCE) == "done in the end"
        assert task.refresh().attempt == 1
        assert [one.id for one in client.tokens.list("echo") if one.in_use] == [first.id]
        client.tokens.revoke(first.id)
        agent.wait_for("going on with the one that came in its place")
        agent.wait_for("back after")
        assert client.call("echo", "say", text="and more") == "and more"
        assert [one.id != first.id for one in client.tokens.list("echo") if one.in_use] == [True]
        assert agent.stop() == 0


def test_of_two_processes_with_copies_of_one_state_folder_one_gets_tasks(platform: Platform, client: Client) -> None:
    state, copy = platform.folder / "state", platform.folder / "copy"
    first_token = platform.token("echo", expires_in=8)
    with platform.agent("echo", PID, token=first_token, in_file=True) as first:
        first.wait_for("the token was renewed")
        shutil.copytree(state, copy)
        with platform.agent("echo", PID, token=first_token, XDG_STATE_HOME=str(copy)) as second:
            second.wait_for("another process is connected with the same token")
            # The file beside it has another lineage by now, which makes no second seat of the first one's.
            new_token_beside(first, platform)
            assert {client.call("echo", "pid") for _ in range(20)} == {first.pid}
            assert second.running


def test_a_renewed_token_is_in_the_file_and_the_next_process_uses_it(platform: Platform, client: Client) -> None:
    first = platform.token("echo", expires_in=8)
    with platform.agent("echo", ECHO, token=first, in_file=True) as agent:
        agent.wait_for("the token was renewed")
        assert agent.stop() == 0
        folder = agent.folder
    (left,) = [line for line in (folder / ".env").read_text().splitlines() if "AGENT_JWT_TOKEN" in line]
    assert first not in left
    with platform.agent("echo", ECHO, token=left.partition("=")[2]) as agent:
        agent.wait_for(connected)
    assert len(client.tokens.list("echo")) >= 2


def test_a_result_that_was_kept_under_a_token_is_delivered_with_the_one_in_its_place(
    platform: Platform, client: Client, tmp_path: Path
) -> None:
    gate, spool = tmp_path / "gate", platform.folder / "state" / "agentic-atlas" / "spool"
    first = platform.token("echo")
    with platform.agent("echo", LONG, token=first, GATE=str(gate)) as agent:
        agent.wait_for(connected)
        task = client.submit("echo", "wait", text="kept")
        agent.wait_for("task received")
        (token,) = client.tokens.list("echo")
        second = client.tokens.rotate(token.id).token
        platform.kill()
        gate.touch()
        until(lambda: kept_in(spool) == 1)
        agent.kill()
    platform.start()
    with (
        platform.agent("echo", LONG, token=second, GATE=str(gate)) as agent,
        Client(platform.url, api_key=platform.api_key) as again,
    ):
        agent.wait_for(connected)
        assert again.tasks.get(task.id).result(PATIENCE) == "kept"
        assert again.tasks.get(task.id).refresh().attempt == 1


def test_a_second_process_with_the_same_token_is_refused_shown_and_written_down(
    platform: Platform, client: Client
) -> None:
    token = platform.token("echo")
    with platform.agent("echo", ECHO, token=token) as first:
        first.wait_for(connected)
        with platform.agent("echo", ECHO, token=token) as second:
            second.wait_for("another process is connected with the same token")
            (seen,) = client.agents.get("echo").second_instances
            assert not seen.replaced
            assert seen.holder == client.agents.get("echo").instances[0].id
            assert second.stop() == 0
        assert f"was refused beside {seen.holder}" in platform.atlas("agents", "show", "echo", check=False)
        assert client.call("echo", "say", text="undisturbed") == "undisturbed"
        until(lambda: "token_in_use" in platform.atlas("audit", "list"))


def test_a_process_that_hangs_is_replaced_by_another_with_its_token_and_that_is_written_down(
    platform: Platform, client: Client
) -> None:
    token = platform.token("echo")
    with platform.agent("echo", ECHO, token=token) as first:
        first.wait_for(connected)
        os.kill(first.pid, signal.SIGSTOP)
        with platform.agent("echo", ECHO, token=token) as second:
            second.wait_for(connected)
            (seen,) = client.agents.get("echo").second_instances
            assert seen.replaced
            os.kill(first.pid, signal.SIGCONT)
            assert first.wait() == 2
            assert "another process took over with the same token" in first.output
            until(lambda: "instances.take_over" in platform.atlas("audit", "list"))
