"""`atlas up`: what it says at its start and at its end, and what it does not start with."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from agentic_atlas.cli import up
from agentic_atlas.errors import ConfigurationError
from agentic_atlas.observe.logs import sentence
from agentic_atlas.protocol.caller.people import WhoAmI
from agentic_atlas.sdk import environment
from agentic_atlas.settings import Settings
from tests.integration.cli.commands import atlas, complained
from tests.integration.client.client_server import KEY, Answer, serving
from tests.shown import answer


class Warned:
    """A log that keeps warnings."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __getattr__(self, level: str) -> Any:
        return (
            (lambda event, **facts: self.lines.append(sentence(event, facts)))
            if level == "warning"
            else lambda event, **facts: None
        )


async def said(capsys: pytest.CaptureFixture[str], folder: Path, **more: Any) -> tuple[list[str], list[str]]:
    """Return what a network says that is stopped as soon as it is up, and what it warns of."""
    log = Warned()

    stop = asyncio.Event()
    stop.set()
    settings = Settings(data_dir=folder / "data", http_port=0, router_port=0, drain=0.0, **more)
    await up._serve(settings, log, stop, as_json=False)  # type: ignore[arg-type]
    return capsys.readouterr().out.splitlines(), log.lines


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"http_port": 99_999}, "--http-port has to be at most 65535, not 99999"),
        ({"log_level": "loud"}, "--log-level has to be one of debug, error, info, trace, warning, not 'loud'"),
    ],
)
def test_a_setting_that_is_not_acceptable_is_named_with_what_is(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{sentence}$"):
        up.read_settings(given)


async def test_a_network_for_this_machine_alone_says_what_comes_next_and_warns_of_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines, warnings = await said(capsys, tmp_path)
    assert re.fullmatch(r"Agentic Atlas \S+ is up: http://127\.0\.0\.1:\d+", lines[0])
    assert [line.split()[0] for line in lines[1:5]] == ["Router", "Data", "You", "Log"]
    assert "/login#invitation=atlas_invite_" in lines[4]
    assert lines[5].startswith("Next: `atlas init hello`")
    assert lines[6:] == ["stopping …"]
    assert warnings == []


async def test_one_that_lets_others_in_says_how_they_reach_it_and_what_they_risk(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigurationError, match=r"^listening on 0\.0\.0\.0 lets other machines in") as refused:
        await said(capsys, tmp_path, host="0.0.0.0")
    assert refused.value.code == "plaintext_refused"
    for part in ("--tls-cert", "ATLAS_PUBLIC_URL", "ATLAS_PUBLIC_ROUTER_URL", "ATLAS_ALLOW_PLAINTEXT=1"):
        assert part in refused.value.message
    lines, warnings = await said(capsys, tmp_path, host="0.0.0.0", allow_plaintext=True)
    assert "0.0.0.0" not in "".join(lines)
    assert any(line.startswith("  Others ") for line in lines)
    (warning,) = warnings
    for part in ("unencrypted", "ATLAS_ALLOW_PLAINTEXT", "--tls-cert"):
        assert part in warning


async def test_one_behind_a_proxy_with_tls_tells_the_addresses_there_and_warns_of_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    public = {"public_url": "https://atlas.example.org", "public_router_url": "wss://atlas.example.org/ws"}
    lines, warnings = await said(capsys, tmp_path, host="0.0.0.0", **public)
    assert lines[0].endswith(" is up: https://atlas.example.org")
    assert lines[1].startswith("  API      http://127.0.0.1:")
    assert "  Others   https://atlas.example.org and wss://atlas.example.org/ws" in lines
    # That nobody is at these addresses may be found out before it stops, or not.
    assert set(warnings) <= {"public_address_unreachable"}


async def test_one_beside_another_that_answers_says_where_commands_go(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(lambda _: Answer(answer(WhoAmI, user={"name": "ada", "role": "admin"}))) as server:
        environment.remember(server.url, KEY)
        lines, _ = await said(capsys, tmp_path)
        assert any(
            line.startswith(f"Commands go to {server.url}, which answers: `atlas platforms use ") for line in lines
        )
        assert environment.read_credentials().default == server.url


async def test_one_beside_another_that_was_chosen_and_is_down_says_where_commands_stay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.remember("http://127.0.0.1:9", KEY)
    lines, _ = await said(capsys, tmp_path)
    stays = "Commands go to http://127.0.0.1:9, which was chosen and does not answer now: `atlas platforms use "
    assert any(line.startswith(stays) for line in lines)
    assert environment.read_credentials().default == "http://127.0.0.1:9"


def test_a_setting_that_is_misspelt_is_told_before_anything_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATLAS_GRCE", "5")
    told = complained(atlas("up", "--log-level", "loud"), 2).splitlines()
    assert told[0] == "ATLAS_GRCE is set and nothing reads it: did you mean ATLAS_GRACE?"


@pytest.mark.parametrize(("name", "value"), [("ATLAS_PUBLIC_URL", "foo"), ("ATLAS_PUBLIC_ROUTER_URL", "https://x/ws")])
def test_a_public_address_that_leads_nowhere_keeps_a_network_from_starting(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert complained(atlas("up"), 2).startswith(f"{name} does not begin with ")
