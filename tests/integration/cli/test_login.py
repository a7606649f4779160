"""`atlas login` and `atlas logout`, towards a server that answers as the platform does."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator

import pytest

from agentic_atlas.protocol.caller.people import ApiKeyInfo, WhoAmI
from agentic_atlas.sdk import environment
from tests.integration.cli.commands import atlas, complained, printed
from tests.integration.cli.platform_server import AT
from tests.integration.client.client_server import KEY, Answer, Asked, Server, error, in_order, serving
from tests.shown import answer

ME = Answer(answer(WhoAmI, user={"name": "ada", "role": "admin"}, api_key={"id": "key_1", "name": "laptop"}))
ASKS = {"host": "box\x1b[2J", "address": "192.0.2.1", "age": 12.3, "asked_at": AT, "expires_at": AT}
REVOKED = Answer(answer(ApiKeyInfo, id="key_1", name="laptop", revoked_at=AT))


@pytest.fixture
def server() -> Iterator[Server]:
    """A platform this user is not set up for."""
    with serving(in_order()) as server:
        yield server


def answers(server: Server, *those: Answer) -> None:
    server.answer = in_order(*those)


def stored(url: str) -> str | None:
    return environment.read_credentials().api_key(url)


def test_a_key_that_comes_through_a_pipe_is_checked_and_kept_where_nobody_else_reads_it(server: Server) -> None:
    answers(server, ME, ME)
    result = atlas("login", server.url, input=f"{KEY}\n")
    path = environment.credentials_path()
    assert printed(result) == f"You are ada on {server.url}; your API key is in {path}.\n"
    assert result.stderr == ""
    assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (stored(server.url), environment.read_credentials().default) == (KEY, server.url)
    assert "ada" in printed(atlas("whoami"))


def test_a_login_for_programs(server: Server) -> None:
    answers(server, ME)
    told = json.loads(printed(atlas("login", server.url, "--json", input=KEY)))
    assert told == {
        "url": server.url,
        "user": "ada",
        "credentials": str(environment.credentials_path()),
        "replaced": False,
    }


def test_a_key_that_is_refused_is_not_kept(server: Server) -> None:
    answers(server, error(401, "key_invalid", "this API key is not known"))
    told = complained(atlas("login", server.url, input=KEY), 2)
    assert told == f"{server.url} does not take this API key: this API key is not known"
    assert stored(server.url) is None


def test_without_a_key_nothing_is_asked(server: Server) -> None:
    assert "no API key came from stdin" in complained(atlas("login", server.url, input="\n"), 2)
    assert "characters no key has" in complained(atlas("login", server.url, input="two words\n"), 2)
    assert server.asked == []


def test_credentials_that_others_can_read_are_told_before_a_key_is_asked_for(server: Server) -> None:
    environment.remember("http://localhost:1", KEY)
    environment.credentials_path().chmod(0o644)
    assert "chmod 600" in complained(atlas("login", server.url, "--code"), 2)
    assert server.asked == []


def test_a_key_that_would_travel_in_the_clear_is_not_asked_for() -> None:
    for url in ("http://atlas.example.org", "http://192.0.2.1:8000"):
        told = complained(atlas("login", url, input=KEY), 2)
        assert f"the platform is at {url}, and the API key would travel there unencrypted: use https://" in told
    assert "unencrypted" not in complained(atlas("login", "http://127.0.0.1:9", input=""), 2)


def test_a_key_that_is_known_is_not_asked_for_again(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    environment.remember(server.url, KEY)
    environment.remember("http://127.0.0.1:9", "atlas_another")
    answers(server, ME, ME)
    assert "You are ada" in printed(atlas("login", server.url)), "nothing came through the pipe"
    assert environment.read_credentials().default == server.url
    environment.change_credentials(lambda held: held.using("http://127.0.0.1:9"))
    monkeypatch.setattr("agentic_atlas.cli.login.output.terminal", lambda stream=None: True)
    assert "You are ada" in printed(atlas("login", server.url))
    assert (stored(server.url), environment.read_credentials().default) == (KEY, server.url)


def test_a_known_key_that_is_refused_is_told_and_another_one_asked_for(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.remember(server.url, "atlas_revoked")
    answers(server, error(401, "key_invalid", "this API key is not known"), ME)
    monkeypatch.setattr("agentic_atlas.cli.login.output.terminal", lambda stream=None: True)
    monkeypatch.setattr("agentic_atlas.cli.login.asking.secret", lambda text: KEY)
    result = atlas("login", server.url)
    assert f"The API key kept for {server.url} is not taken any more: this API key is not known" in result.stderr
    assert "You are ada" in printed(result)
    assert stored(server.url) == KEY


def test_nobody_is_asked_for_a_key_to_where_no_platform_answers(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("agentic_atlas.cli.login.output.terminal", lambda stream=None: True)
    monkeypatch.setattr("agentic_atlas.cli.login.asking.secret", lambda text: asked.append(text) or KEY)
    monkeypatch.setattr("agentic_atlas.cli.connection.PATIENCE", 0.0)
    assert "cannot reach Agentic Atlas at http://127.0.0.1:9" in complained(atlas("login", "http://127.0.0.1:9"))
    answers(server, error(404, "not_found"))
    assert atlas("login", server.url).exit_code == 1
    assert asked == []
    answers(server, error(401, "key_missing"), ME)
    let_in = atlas("login", server.url)
    assert "You are ada" in printed(let_in)
    assert f"With a password instead: `atlas login {server.url} --user NAME`" in let_in.stderr
    assert (asked, [one.headers.get("authorization") for one in server.asked[-2:]]) == (
        [f"API key for {server.url}"],
        [None, f"Bearer {KEY}"],
    )


def test_a_key_that_comes_through_a_pipe_takes_the_place_of_the_known_one(server: Server) -> None:
    environment.remember(server.url, "atlas_old")
    answers(server, ME, ME)
    result = atlas("login", server.url, input=KEY)
    assert "revoked" not in printed(result) + result.stderr, "it was made on purpose, and may be used elsewhere too"
    assert stored(server.url) == KEY


def test_the_key_of_the_login_before_is_revoked_once_the_new_one_is_kept(server: Server) -> None:
    former = {"id": "key_0", "name": "atlas login on box", "from_login": True}
    theirs = Answer(answer(WhoAmI, user={"name": "ada", "role": "admin"}, api_key=former))
    environment.remember(server.url, "atlas_former")
    answers(server, ME, theirs, REVOKED)
    result = atlas("login", server.url, input=KEY)
    assert "You are ada" in printed(result)
    assert result.stderr == "The key that the login before made for this machine is revoked.\n"
    assert server.paths()[1:] == ["GET /api/v1/whoami", "DELETE /api/v1/api-keys/key_0"]
    assert [asked.headers["authorization"] for asked in server.asked[1:]] == ["Bearer atlas_former"] * 2
    environment.remember(server.url, "atlas_former")
    answers(server, ME, theirs, REVOKED)
    assert json.loads(printed(atlas("login", server.url, "--json", input=KEY)))["replaced"] is True


def test_a_former_key_that_cannot_be_revoked_is_told_and_one_that_is_worthless_is_not(server: Server) -> None:
    environment.remember(server.url, "atlas_former")
    answers(server, ME, error(401, "key_invalid"))
    assert atlas("login", server.url, input=KEY).stderr == ""
    environment.remember(server.url, "atlas_former")
    answers(server, ME, error(403, "forbidden", "not today"))
    result = atlas("login", server.url, input=KEY)
    assert "You are ada" in printed(result)
    assert "could not be revoked and stays valid on the platform: not today" in result.stderr


def test_variables_that_win_over_the_login_are_named(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATLAS_API_KEY", "atlas_another")
    monkeypatch.setenv("ATLAS_API_URL", server.url + "/")
    answers(server, ME, ME)
    result = atlas("login", input=KEY)
    assert "ATLAS_API_KEY is set here and wins" in result.stderr
    assert "ATLAS_API_URL" not in result.stderr
    assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"
    monkeypatch.setenv("ATLAS_API_URL", "http://localhost:1")
    assert "ATLAS_API_URL is set here and wins" in atlas("login", server.url, input=KEY).stderr


@pytest.mark.parametrize("options", [("--code", "--deny", "A"), ("--approve", "A", "--deny", "A")])
def test_one_thing_at_a_time(options: tuple[str, ...]) -> None:
    assert "exclude each other" in complained(atlas("login", *options), 2)


def test_who_asks_is_shown_and_confirmed_before_they_are_let_in(server: Server) -> None:
    environment.remember(server.url, KEY)
    answers(server, Answer(ASKS), Answer(ASKS))
    result = atlas("login", "--approve", "BCDF-GHJK", input="y\n")
    assert "Approved: box" in printed(result)
    assert "at 192.0.2.1, asked 12 s ago." in result.stderr
    assert "\x1b" not in result.stderr
    assert server.paths() == ["POST /api/v1/login-codes/show", "POST /api/v1/login-codes/approve"]
    assert [asked.body for asked in server.asked] == [{"user_code": "BCDF-GHJK"}] * 2


def test_whoever_decides_is_told_what_is_given(server: Server) -> None:
    environment.remember(server.url, KEY)
    answers(server, Answer(ASKS | {"scopes": ["tasks:read"], "lasts": 86_400.0}), Answer(ASKS))
    shown = atlas("login", "--approve", "BCDF-GHJK", input="y\n").stderr
    assert "It would get an API key of yours, good for tasks:read, for 1 day at the most." in shown
    answers(server, Answer(ASKS | {"lasts": 86_400.0}), Answer(ASKS))
    assert "good for everything that you may" in atlas("login", "--approve", "BCDF-GHJK", input="y\n").stderr


@pytest.mark.parametrize(("address", "told"), [("127.0.0.1", True), ("::1", True), ("192.0.2.1", False)])
def test_an_address_that_may_be_a_proxys_is_told_as_such(server: Server, address: str, told: bool) -> None:
    environment.remember(server.url, KEY)
    answers(server, Answer(ASKS | {"address": address}), Answer(ASKS))
    shown = atlas("login", "--approve", "BCDF-GHJK", input="y\n").stderr
    assert ("own machine, or a proxy" in shown) is told


@pytest.mark.parametrize("said", ["n\n", "\n"])
def test_without_a_yes_nothing_is_decided(server: Server, said: str) -> None:
    environment.remember(server.url, KEY)
    answers(server, Answer(ASKS))
    result = atlas("login", "--approve", "BCDF-GHJK", input=said)
    assert (result.exit_code, result.stderr.endswith("stopped\n")) == (1, True)
    assert server.paths() == ["POST /api/v1/login-codes/show"]


def test_whoever_is_not_wanted_is_turned_away(server: Server) -> None:
    environment.remember(server.url, KEY)
    answers(server, Answer(ASKS), Answer(ASKS))
    assert "gets nothing" in printed(atlas("login", "--deny", "BCDF-GHJK", "--yes"))
    told = json.loads(printed(atlas("login", "--approve", "BCDF-GHJK", "--yes", "--json")))
    assert (told["approved"], told["address"]) == (True, "192.0.2.1")
    assert server.paths() == ["POST /api/v1/login-codes/deny", "POST /api/v1/login-codes/approve"]


def test_a_logout_revokes_the_key_and_forgets_it(server: Server) -> None:
    environment.remember("http://localhost:1", "atlas_other")
    environment.remember(server.url, KEY)
    answers(server, ME, REVOKED)
    result = atlas("logout")
    assert printed(result) == f"Forgot the API key for {server.url}, and revoked it there.\n"
    back, moved = result.stderr.splitlines()
    assert back.startswith(f"To get in again: `atlas login {server.url}` with another key, ")
    assert "start the network anew on its machine (`atlas up`), which makes its administrator a new key" in back
    assert moved == "Commands go to http://localhost:1 now."
    assert server.paths() == ["GET /api/v1/whoami", "DELETE /api/v1/api-keys/key_1"]
    assert (stored(server.url), stored("http://localhost:1")) == (None, "atlas_other")


def test_a_logout_revokes_no_other_key_than_that_with_which_commands_act(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.remember(server.url, KEY, user="ada")
    monkeypatch.setenv("ATLAS_API_KEY", "atlas_another")
    refused = atlas("logout")
    assert refused.exit_code == 2
    assert "`unset ATLAS_API_KEY` first to revoke that, or only forget it with --keep-key" in refused.stderr
    assert (stored(server.url), server.asked) == (KEY, [])
    forgotten = atlas("logout", "--keep-key")
    assert "ATLAS_API_KEY is still set here: commands go on to act with its key." in forgotten.stderr
    assert "with `--user ada` and a password, or with `--code`" in forgotten.stderr
    assert (stored(server.url), server.asked) == (None, [])


@pytest.mark.parametrize(
    ("options", "forgotten"), [(("--keep-key",), True), (("http://localhost:1",), False)], ids=["kept", "elsewhere"]
)
def test_a_logout_asks_the_platform_nothing_when_there_is_nothing_to_revoke(
    server: Server, options: tuple[str, ...], forgotten: bool
) -> None:
    environment.remember(server.url, KEY)
    told = json.loads(printed(atlas("logout", "--json", *options)))
    assert (told["forgotten"], told["revoked"]) == (forgotten, False)
    assert (stored(server.url) is None) == forgotten
    assert server.asked == []


def test_a_key_that_cannot_be_revoked_is_forgotten_all_the_same(server: Server) -> None:
    environment.remember(server.url, KEY)
    answers(server, ME, error(403, "forbidden", "not today"))
    result = atlas("logout")
    assert printed(result) == f"Forgot the API key for {server.url}.\n"
    assert f"To get in again: `atlas login {server.url}` with it, " in result.stderr
    assert "The key could not be revoked and stays valid on the platform: not today\n" in result.stderr
    assert stored(server.url) is None


def test_a_key_that_is_worthless_already_counts_as_revoked(server: Server) -> None:
    environment.remember(server.url, KEY)
    answers(server, error(401, "key_invalid"))
    assert json.loads(printed(atlas("logout", "--json")))["revoked"] is True
    assert printed(atlas("logout", server.url)) == f"No API key for {server.url} is stored here.\n"


def test_no_key_is_kept_for_a_server_that_is_no_platform(server: Server) -> None:
    def page(asked: Asked) -> Answer:
        return Answer(b"<html>", headers={"Content-Type": "text/html"})

    server.answer = page
    assert "did not answer as Agentic Atlas does" in complained(atlas("login", server.url, input=KEY))
    assert stored(server.url) is None
