"""`atlas platforms`: which networks are known here, which answer, and where commands go."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentic_atlas.protocol.caller.people import WhoAmI
from agentic_atlas.sdk import environment
from agentic_atlas.sdk.credentials import Credentials
from tests.certificates import speaking_tls
from tests.integration.cli.commands import atlas, complained, printed
from tests.integration.client.client_server import KEY, Answer, Server, error, serving
from tests.shown import answer

DEAD = "http://127.0.0.1:9"


def me(name: str) -> Answer:
    return Answer(answer(WhoAmI, user={"name": name, "role": "admin"}))


@pytest.fixture
def ada() -> Iterator[Server]:
    """A network that answers and takes the key."""
    with serving(lambda _: me("ada")) as server:
        yield server


@pytest.fixture
def stranger() -> Iterator[Server]:
    """One that answers and does not know the key."""
    with serving(lambda _: error(401, "key_invalid", "this API key is not known")) as server:
        yield server


def held() -> Credentials:
    return environment.read_credentials()


def test_the_list_says_which_answer_whose_key_it_is_and_where_commands_go(ada: Server, stranger: Server) -> None:
    environment.remember(stranger.url, KEY)
    environment.remember(DEAD, KEY, user="grace")
    environment.remember(ada.url, KEY)
    heads, *rows = printed(atlas("platforms")).splitlines()
    assert heads.split() == ["PLATFORM", "STATE", "YOU", "ARE"]
    assert [row.split() for row in rows] == [
        [stranger.url, "does", "not", "take", "the", "key"],
        [DEAD, "nothing", "answers", "grace"],
        ["*", ada.url, "answers", "ada"],
    ]
    assert KEY not in "".join(rows)
    items = json.loads(printed(atlas("platforms", "list", "--json")))["items"]
    assert [(item["url"], item["reachable"], item["current"]) for item in items] == [
        (stranger.url, True, False),
        (DEAD, False, False),
        (ada.url, True, True),
    ]


def test_without_any_it_says_how_to_get_one() -> None:
    assert "start one with `atlas up`" in atlas("platforms").stderr


def test_commands_go_where_they_are_told_by_an_address_or_a_part_of_it(ada: Server) -> None:
    environment.remember(ada.url, KEY)
    environment.remember("https://atlas.example.org", KEY)
    environment.remember(DEAD, KEY)
    assert printed(atlas("platforms", "use", "example")) == "Commands go to https://atlas.example.org now.\n"
    port = ada.url.rpartition(":")[2]
    assert json.loads(printed(atlas("platforms", "use", f"http://localhost:{port}", "--json")))["url"] == ada.url
    assert "ada" in printed(atlas("whoami"))
    assert "may mean" in complained(atlas("platforms", "use", "127.0.0.1"), 2)
    assert "no network is known here as `elsewhere`" in complained(atlas("platforms", "use", "elsewhere"), 2)


def test_a_choice_that_the_environment_overrides_is_told(ada: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    environment.remember(ada.url, KEY)
    environment.remember(DEAD, KEY)
    monkeypatch.setenv("ATLAS_API_URL", DEAD)
    assert "ATLAS_API_URL is set here and wins" in atlas("platforms", "use", ada.url).stderr
    listed = json.loads(printed(atlas("platforms", "--json")))["items"]
    assert {item["url"]: item["current"] for item in listed} == {ada.url: False, DEAD: True}


def test_what_does_not_answer_is_forgotten_by_name_or_all_at_once(ada: Server, stranger: Server) -> None:
    for url in ("http://127.0.0.1:8", DEAD, "http://127.0.0.1:7", stranger.url, ada.url):
        environment.remember(url, KEY)
    assert printed(atlas("platforms", "forget", "127.0.0.1:8")) == "Forgot http://127.0.0.1:8.\n"
    assert printed(atlas("platforms", "forget", "--dead")) == f"Forgot {DEAD}, http://127.0.0.1:7.\n"
    assert sorted(held().platforms) == sorted([ada.url, stranger.url])
    assert held().default == ada.url
    assert "all networks known here answer" in printed(atlas("platforms", "forget", "--dead")).lower()
    assert "name a platform" in complained(atlas("platforms", "forget"), 2)


def test_a_network_whose_certificate_is_not_trusted_here_is_not_dead(tmp_path: Path) -> None:
    """The key that is kept for it may be its only one."""
    _, tls = speaking_tls(tmp_path)

    async def listen(server: Server) -> asyncio.Server:
        listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
        server.url = f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        return listening

    with serving(lambda _: me("ada"), listen) as server:
        environment.remember(server.url, KEY)
        environment.remember(DEAD, KEY)
        assert "its certificate is not trusted here" in " ".join(printed(atlas("platforms")).split())
        assert printed(atlas("platforms", "forget", "--dead")) == f"Forgot {DEAD}.\n"
    assert list(held().platforms) == [server.url]


def test_whoever_forgets_the_network_that_commands_go_to_is_told_where_they_go_now() -> None:
    environment.remember("http://127.0.0.1:8", KEY)
    environment.remember(DEAD, KEY)
    assert atlas("platforms", "forget", DEAD).stderr == "Commands go to http://127.0.0.1:8 now.\n"
    environment.remember(DEAD, KEY)
    assert atlas("platforms", "forget", "127.0.0.1:8").stderr == ""
    assert json.loads(printed(atlas("platforms", "forget", DEAD, "--json"))) == {"forgotten": [DEAD], "current": None}


def test_a_script_gets_the_key_that_commands_use_or_that_of_a_network_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    environment.remember(DEAD, "atlas_of_dead")
    environment.remember("https://atlas.example.org", "atlas_of_example")
    assert printed(atlas("platforms", "key")) == "atlas_of_example\n"
    assert printed(atlas("platforms", "key", "127")) == "atlas_of_dead\n"
    told = json.loads(printed(atlas("platforms", "key", DEAD, "--json")))
    assert told == {"url": DEAD, "api_key": "atlas_of_dead"}
    monkeypatch.setenv("ATLAS_API_KEY", "atlas_of_the_environment")
    assert printed(atlas("platforms", "key")) == "atlas_of_the_environment\n"
    environment.credentials_path().unlink()
    monkeypatch.delenv("ATLAS_API_KEY")
    assert "no network is known here" in complained(atlas("platforms", "key"), 2)
