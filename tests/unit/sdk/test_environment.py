"""What an agent and a client are told from outside, and what they are told when that cannot be used."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

import pytest

from agentic_atlas.errors import ConfigurationError
from agentic_atlas.sdk import environment
from agentic_atlas.sdk.address import Address
from agentic_atlas.sdk.environment import (
    check_plaintext,
    client_settings,
    credentials_path,
    forget,
    load,
    read_credentials,
    remember,
)

TOKEN = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhMSJ9.c2lnbmF0dXJl"


def env_file(folder: Path, text: str, mode: int = 0o600) -> Path:
    file = folder / ".env"
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)
    return file


def test_the_defaults_are_those_of_a_network_on_this_machine(tmp_path: Path) -> None:
    settings = load(tmp_path, {"AGENT_JWT_TOKEN": TOKEN})
    assert settings.token == TOKEN
    assert settings.router_url == "ws://localhost:8080/ws"
    assert settings.api_url == "http://localhost:8000"
    assert (settings.log_level, settings.log_format) == ("info", None)
    assert settings.warnings == ()


def test_the_file_beside_the_agent_is_read_and_the_process_environment_wins(tmp_path: Path) -> None:
    file = env_file(tmp_path, f"AGENT_JWT_TOKEN={TOKEN}\nROUTER_WS_URL=wss://a.example/ws\nATLAS_LOG_LEVEL=DEBUG\n")
    settings = load(tmp_path, {"ROUTER_WS_URL": "wss://b.example/ws", "ATLAS_LOG_FORMAT": "json"})
    assert (settings.token, settings.router_url) == (TOKEN, "wss://b.example/ws")
    assert (settings.log_level, settings.log_format) == ("debug", "json")
    assert (settings.env_file, settings.token_from_file) == (file, True)


def test_when_an_agent_pauses_is_read_from_the_environment_and_what_is_said_in_python_wins(tmp_path: Path) -> None:
    env_file(tmp_path, f"AGENT_JWT_TOKEN={TOKEN}\nATLAS_MAX_MEMORY=2 GB\nATLAS_QUIET_HOURS=22:00-07:00\n")
    settings = load(tmp_path, {"ATLAS_MAX_CPU": "50"}, said={"ATLAS_MAX_MEMORY": "10"})
    assert settings.pauses == {"ATLAS_MAX_MEMORY": "10", "ATLAS_MAX_CPU": "50", "ATLAS_QUIET_HOURS": "22:00-07:00"}


def test_what_is_said_in_python_wins_and_a_file_that_is_named_takes_the_place_of_the_one_that_is_found(
    tmp_path: Path,
) -> None:
    env_file(tmp_path, "AGENT_JWT_TOKEN=a.b.c\n")
    named = tmp_path / "named"
    named.write_text("ATLAS_LOG_LEVEL=debug\n")
    settings = load(tmp_path, {"ROUTER_WS_URL": "wss://b.example/ws"}, env_file=named, said={"AGENT_JWT_TOKEN": TOKEN})
    assert (settings.token, settings.router_url) == (TOKEN, "wss://b.example/ws")
    assert (settings.env_file, settings.log_level, settings.token_from_file) == (named, "debug", False)


@pytest.mark.parametrize(("value", "colours"), [(None, True), ("", True), ("1", False), ("0", False)])
def test_no_colours_are_wanted_when_no_color_is_set_to_anything(
    tmp_path: Path, value: str | None, colours: bool
) -> None:
    environ = {"AGENT_JWT_TOKEN": TOKEN} | ({} if value is None else {"NO_COLOR": value})
    assert load(tmp_path, environ).colours is colours


def test_a_child_is_told_what_to_log_and_not_where_the_network_of_its_parent_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("ATLAS_DATA_DIR", "ATLAS_LOG_LEVEL", "AGENT_JWT_TOKEN", "ROUTER_WS_URL", "BACKEND_API_BASE_URL"):
        monkeypatch.setenv(name, "debug")
    told = environment.for_child(ATLAS_HTTP_PORT="1")
    assert {name: told[name] for name in told if "debug" in told[name]} == {"ATLAS_LOG_LEVEL": "debug"}
    assert told["ATLAS_HTTP_PORT"] == "1"


def test_a_token_of_the_process_does_not_count_as_one_of_the_file(tmp_path: Path) -> None:
    env_file(tmp_path, "AGENT_JWT_TOKEN=a.b.c\n")
    settings = load(tmp_path, {"AGENT_JWT_TOKEN": TOKEN})
    assert settings.token == TOKEN
    assert not settings.token_from_file


def test_an_empty_variable_is_one_that_is_not_set(tmp_path: Path) -> None:
    env_file(tmp_path, f"AGENT_JWT_TOKEN={TOKEN}\nROUTER_WS_URL=\n")
    assert load(tmp_path, {"AGENT_JWT_TOKEN": ""}).token == TOKEN


def test_a_dollar_sign_stays_what_it_is(tmp_path: Path) -> None:
    env_file(tmp_path, "HOST=other\nAGENT_JWT_TOKEN=${HOST}.b.c\n")
    with pytest.raises(ConfigurationError, match="characters that no token has"):
        load(tmp_path, {})


def test_without_a_file_beside_the_agent_that_of_the_working_directory_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    env_file(here, f"AGENT_JWT_TOKEN={TOKEN}")
    monkeypatch.chdir(here)
    assert load(there, {}).token == TOKEN
    assert load(None, {}).token == TOKEN


def test_a_missing_token_says_where_to_get_one_and_where_to_put_it(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, {})
    for part in (
        "there is no .env",
        "`atlas tokens create NAME --create-agent --env .env`",
        "beside your agent",
        "router",
    ):
        assert part in caught.value.message
    file = env_file(tmp_path, "OTHER=1\n")
    with pytest.raises(ConfigurationError, match=f"{file} has none"):
        load(tmp_path, {})


@pytest.mark.parametrize(
    ("token", "says"),
    [
        ("only-one-part", "three parts"),
        ("a.b", "three parts"),
        ("a..c", "three parts"),
        (f'"{TOKEN}"', "quotes around it"),
        (f"{TOKEN}'", "quotes around it"),
        (f"Bearer {TOKEN}", "word Bearer"),
        (f"{TOKEN[:20]}\n{TOKEN[20:]}", "spaces or line breaks"),
        ("<your-agent-token>", "placeholder"),
        ("a.b.ü", "characters that no token has"),
        ("a.b." + "c" * 4096, "longer than 4096"),
    ],
)
def test_a_token_of_the_wrong_form_says_what_is_wrong_and_never_shows_it(tmp_path: Path, token: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, {"AGENT_JWT_TOKEN": token})
    assert says in caught.value.message
    assert TOKEN[:20] not in caught.value.message


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://localhost:8080/ws", "does not begin with ws:// or wss://"),
        ("localhost:8080", "does not begin with"),
        ("ws://", "names no host"),
        ("ws://user:secret@host/ws", "holds a user name or password"),
        ("ws://host:99999/ws", "is not a URL"),
        ("ws://host:0/ws", "names no host"),
        ("ws://host/ws#x", "has a # in it"),
        ("ws://ho st/ws", "has spaces in it"),
        ("ws://[::1/ws", "is not a URL"),
        ('"ws://host/ws"', "has quotes around it"),
        ("ws://localhost:8080", "has to end in /ws"),
        ("wss://host/ws/", "has to end in /ws"),
        ("ws://host/ws?token=secret", "has a ? in it"),
        ("ws://router..example/ws", "names a host that cannot be one"),
        (f"ws://{'a' * 64}.example/ws", "names a host that cannot be one"),
        ("ws://[not::an::address]/ws", "it has to look like"),
    ],
)
def test_an_address_that_cannot_be_used_says_why(tmp_path: Path, url: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, {"AGENT_JWT_TOKEN": TOKEN, "ROUTER_WS_URL": url})
    assert caught.value.message.startswith("ROUTER_WS_URL ")
    assert says in caught.value.message
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BACKEND_API_BASE_URL", "ftp://x"),
        ("BACKEND_API_BASE_URL", "http://localhost:8000/api/v1"),
        ("ATLAS_LOG_LEVEL", "loud"),
        ("ATLAS_LOG_FORMAT", "xml"),
    ],
)
def test_every_other_value_that_cannot_be_used_is_named(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        load(tmp_path, {"AGENT_JWT_TOKEN": TOKEN, name: value})


@pytest.mark.skipif(os.name != "posix", reason="modes of files are a matter of POSIX")
@pytest.mark.parametrize(("mode", "warned"), [(0o644, True), (0o640, True), (0o600, False)])
def test_a_file_that_others_can_read_is_warned_about(tmp_path: Path, mode: int, warned: bool) -> None:
    file = env_file(tmp_path, f"AGENT_JWT_TOKEN={TOKEN}", mode)
    warnings = load(tmp_path, {}).warnings
    assert bool(warnings) is warned
    assert all(f"chmod 600 {file}" in warning for warning in warnings)


def test_a_file_that_is_no_text_or_too_large_is_refused(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_bytes(b"AGENT_JWT_TOKEN=\xff\xfe\n")
    with pytest.raises(ConfigurationError, match="UTF-8"):
        load(tmp_path, {})
    file.write_bytes(b"#" * (1024 * 1024 + 1))
    with pytest.raises(ConfigurationError, match="1 MiB"):
        load(tmp_path, {})


def test_white_space_around_a_value_is_not_part_of_it(tmp_path: Path) -> None:
    settings = load(
        tmp_path, {"AGENT_JWT_TOKEN": f"{TOKEN}\r\n", "ROUTER_WS_URL": " wss://host/ws\n", "ATLAS_SPOOL": " "}
    )
    assert (settings.token, settings.router_url) == (TOKEN, "wss://host/ws")
    assert client_settings(environ={"ATLAS_API_URL": "http://h \n", "ATLAS_API_KEY": "atlas_k\n"}) == Address(
        "http://h", "atlas_k"
    )


def test_a_token_goes_unencrypted_to_another_machine_only_where_that_is_said(tmp_path: Path) -> None:
    plain = {"AGENT_JWT_TOKEN": TOKEN, "ROUTER_WS_URL": "ws://router.example/ws"}
    with pytest.raises(ConfigurationError, match=r"^ROUTER_WS_URL is ws://router.example/ws, and .* use wss://") as no:
        load(tmp_path, plain)
    assert no.value.code == "plaintext_refused"
    assert "ATLAS_ALLOW_PLAINTEXT=1" in no.value.message
    assert load(tmp_path, {**plain, "ATLAS_ALLOW_PLAINTEXT": "1"}).router_url == "ws://router.example/ws"
    env_file(tmp_path, "ATLAS_ALLOW_PLAINTEXT=1\n")
    assert load(tmp_path, plain).router_url == "ws://router.example/ws"
    with pytest.raises(ConfigurationError, match="unencrypted"):
        load(tmp_path, {**plain, "ATLAS_ALLOW_PLAINTEXT": "no"})


@pytest.mark.parametrize(
    ("url", "read_by_others"),
    [
        ("http://atlas.example.org", True),
        ("http://192.0.2.1:8000", True),
        ("https://atlas.example.org", False),
        ("http://127.0.0.1:9", False),
        ("http://localhost:9", False),
        ("ws://[::1]:8080/ws", False),
        ("ws://192.0.2.1/ws", True),
    ],
)
def test_what_others_on_the_way_could_read_is_told(url: str, read_by_others: bool) -> None:
    for environ in ({}, {"ATLAS_ALLOW_PLAINTEXT": "1"}):
        if read_by_others and not environ:
            with pytest.raises(ConfigurationError, match=f"^it is at {re.escape(url)}, and the key would"):
                check_plaintext(url, "the key", "it is at", environ)
        else:
            check_plaintext(url, "the key", "it is at", environ)


def test_a_missing_token_names_the_line_that_could_not_be_read(tmp_path: Path) -> None:
    file = env_file(tmp_path, f'OTHER=1\nAGENT_JWT_TOKEN="{TOKEN}\n')
    with pytest.raises(ConfigurationError, match=rf"{file} has none \(line 2 cannot be read\)") as caught:
        load(tmp_path, {})
    assert TOKEN not in caught.value.message


def test_names_that_no_agent_reads_are_told_with_the_ones_that_were_meant(tmp_path: Path) -> None:
    file = env_file(tmp_path, f"AGENT_JWT_TOKEN={TOKEN}\nROUTER_URL=ws://x/ws\nATLAS_COLOUR=red\nMY_OWN=1\n")
    told = load(tmp_path, {"ATLAS_SPOL": "/x", "ATLAS_URI": "mongodb://elsewhere"}).warnings
    assert told == (
        f"ATLAS_COLOUR in {file} is nothing that an agent reads",
        f"ROUTER_URL in {file} is nothing that an agent reads: did you mean ROUTER_WS_URL?",
        "ATLAS_SPOL is set and nothing reads it: did you mean ATLAS_SPOOL?",
    )


def test_certificates_that_are_not_there_are_told_before_an_agent_dials_where_it_needs_them(tmp_path: Path) -> None:
    missing = {"AGENT_JWT_TOKEN": TOKEN, "SSL_CERT_FILE": str(tmp_path / "none.pem")}
    with pytest.raises(ConfigurationError, match=r"SSL_CERT_FILE can't be used: .*none.pem: No such file"):
        load(tmp_path, {**missing, "ROUTER_WS_URL": "wss://host/ws"})
    assert load(tmp_path, missing).token == TOKEN


def test_a_token_out_of_a_pipe_is_not_looked_for_again(tmp_path: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("named pipes are a matter of POSIX")
    os.mkfifo(tmp_path / ".env")
    writer = threading.Thread(target=(tmp_path / ".env").write_text, args=(f"AGENT_JWT_TOKEN={TOKEN}\n",))
    writer.start()
    settings = load(tmp_path, {})
    writer.join()
    assert (settings.token, settings.token_from_file) == (TOKEN, False)


def test_the_text_form_of_settings_hides_the_secrets(tmp_path: Path) -> None:
    assert TOKEN not in repr(load(tmp_path, {"AGENT_JWT_TOKEN": TOKEN}))
    assert "atlas_secret" not in repr(client_settings("http://h", "atlas_secret", {}))


def home(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path)}


def test_a_key_is_remembered_for_its_platform_and_found_again(tmp_path: Path) -> None:
    path = remember("http://127.0.0.1:8000/", "atlas_one", home(tmp_path))
    assert path == tmp_path / ".config" / "agentic-atlas" / "credentials.json"
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]
    held = client_settings(environ=home(tmp_path))
    assert (held.url, held.api_key) == ("http://127.0.0.1:8000", "atlas_one")
    assert client_settings("http://localhost:8000", environ=home(tmp_path)).api_key == "atlas_one"


def test_a_stored_key_is_never_used_for_another_platform(tmp_path: Path) -> None:
    remember("https://one.example", "atlas_one", home(tmp_path))
    for other in ("https://two.example", "http://one.example", "https://one.example:444", "https://one.example/x"):
        with pytest.raises(ConfigurationError, match="atlas up"):
            client_settings(other, environ=home(tmp_path))
    assert client_settings("https://one.example:443/", environ=home(tmp_path)).api_key == "atlas_one"


def test_the_last_login_is_the_default_and_a_logout_forgets_it(tmp_path: Path) -> None:
    for url, key in (("https://a.example", "k1"), ("https://b.example", "k2"), ("https://a.example", "k3")):
        remember(url, key, home(tmp_path))
    assert client_settings(environ=home(tmp_path)).api_key == "k3"
    assert forget("https://a.example", home(tmp_path))
    assert not forget("https://a.example", home(tmp_path))
    assert read_credentials(home(tmp_path)).default == "https://b.example"
    assert forget("https://b.example", home(tmp_path))
    assert read_credentials(home(tmp_path)).platforms == {}


def test_what_is_given_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    remember("https://file.example", "k_file", home(tmp_path))
    variables = {**home(tmp_path), "ATLAS_API_URL": "https://env.example", "ATLAS_API_KEY": "k_env"}
    assert client_settings("https://arg.example", "k_arg", variables).api_key == "k_arg"
    assert client_settings(environ=variables).url == "https://env.example"
    assert client_settings(environ={**home(tmp_path), "ATLAS_API_KEY": "k_env"}).url == "https://file.example"


@pytest.mark.skipif(os.name != "posix", reason="modes of files are a matter of POSIX")
def test_a_credentials_file_that_others_can_read_is_refused_with_the_command_that_mends_it(tmp_path: Path) -> None:
    path = remember("https://a.example", "k1", home(tmp_path))
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match=f"chmod 600 {path}"):
        read_credentials(home(tmp_path))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"platforms": {"http://a": {"key": "atlas_secret"}}}'])
def test_a_credentials_file_that_is_not_ours_is_named_and_not_quoted(tmp_path: Path, content: bytes) -> None:
    path = credentials_path(home(tmp_path))
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError) as caught:
        read_credentials(home(tmp_path))
    assert str(path) in caught.value.message
    assert "atlas_secret" not in caught.value.message


def test_a_credentials_file_kept_elsewhere_by_a_link_is_written_there_and_stays_a_link(tmp_path: Path) -> None:
    kept = tmp_path / "dotfiles" / "credentials.json"
    kept.parent.mkdir()
    path = credentials_path(home(tmp_path))
    path.parent.mkdir(parents=True)
    path.symlink_to(kept)
    remember("https://a.example", "k1", home(tmp_path))
    remember("https://b.example", "k2", home(tmp_path))
    assert path.is_symlink()
    assert "k1" in kept.read_text()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert sorted(each.name for each in (*path.parent.iterdir(), *kept.parent.iterdir())) == ["credentials.json"] * 2


def test_keys_that_are_stored_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    def store(number: int) -> None:
        remember(f"https://{number}.example", "atlas_k", home(tmp_path))

    threads = [threading.Thread(target=store, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_credentials(home(tmp_path)).platforms) == 8


def test_a_folder_that_cannot_be_written_is_a_plain_sentence(tmp_path: Path) -> None:
    (tmp_path / ".config").write_text("a file, not a folder")
    with pytest.raises(ConfigurationError, match="can't"):
        remember("https://a.example", "k1", home(tmp_path))


def test_without_any_network_what_starts_one_comes_first(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        client_settings(environ=home(tmp_path))
    said = caught.value.message
    assert said.index("`atlas up`") < said.index("`atlas login URL`")


def test_a_missing_key_says_for_which_addresses_there_are_some(tmp_path: Path) -> None:
    remember("http://127.0.0.1:8000", "atlas_one", home(tmp_path))
    with pytest.raises(ConfigurationError, match=r"no API key for http://127.0.0.1:8080: .* for http://127.0.0.1:8000"):
        client_settings(environ={**home(tmp_path), "ATLAS_API_URL": "http://127.0.0.1:8080"})


def test_a_missing_key_names_the_variable_that_was_meant_to_hold_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="ATLAS_API_KYE is set and nothing reads it: did you mean ATLAS_API_K"):
        client_settings("https://a.example", environ={**home(tmp_path), "ATLAS_API_KYE": "atlas_k"})


@pytest.mark.parametrize("url", ["http://localhost:8000/api/v1", "localhost:8000", "http://h?key=atlas_secret"])
def test_an_address_in_the_environment_that_cannot_be_used_names_its_variable(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^ATLAS_API_URL ") as caught:
        client_settings(environ={**home(tmp_path), "ATLAS_API_URL": url, "ATLAS_API_KEY": "atlas_k"})
    assert "secret" not in caught.value.message


def test_the_config_folder_of_the_desktop_is_respected_when_it_is_absolute(tmp_path: Path) -> None:
    assert credentials_path({"XDG_CONFIG_HOME": str(tmp_path)}) == tmp_path / "agentic-atlas" / "credentials.json"
    relative = credentials_path({"XDG_CONFIG_HOME": "somewhere", "HOME": str(tmp_path)})
    assert all(credentials_path({"HOME": odd}).is_absolute() for odd in ("", "somewhere"))
    assert relative == tmp_path / ".config" / "agentic-atlas" / "credentials.json"


def test_the_real_environment_is_used_when_none_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_JWT_TOKEN", TOKEN)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert load(tmp_path).token == TOKEN
    assert environment.credentials_path().parent.parent == tmp_path


# -- where results are kept


def spool_of(folder: Path, **environ: str) -> Path | None:
    return load(folder, {"AGENT_JWT_TOKEN": TOKEN, **environ}).spool


def test_results_are_kept_in_the_users_state_folder(tmp_path: Path) -> None:
    assert spool_of(tmp_path, HOME="/home/ada") == Path("/home/ada/.local/state/agentic-atlas/spool")
    assert spool_of(tmp_path, HOME="/home/ada", XDG_STATE_HOME="/state") == Path("/state/agentic-atlas/spool")
    assert spool_of(tmp_path, HOME="/home/ada", XDG_STATE_HOME="relative") == Path(
        "/home/ada/.local/state/agentic-atlas/spool"
    )


def test_another_folder_or_none_can_be_named_for_results(tmp_path: Path) -> None:
    assert spool_of(tmp_path, ATLAS_SPOOL="/var/spool/atlas") == Path("/var/spool/atlas")
    assert spool_of(tmp_path, ATLAS_SPOOL="Off") is None
    env_file(tmp_path, "ATLAS_SPOOL=off\n")
    assert spool_of(tmp_path) is None
    assert load(tmp_path, {"AGENT_JWT_TOKEN": TOKEN}).warnings == ()


def test_a_relative_folder_for_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="ATLAS_SPOOL has to be the absolute path of a folder, or off"):
        spool_of(tmp_path, ATLAS_SPOOL="spool")


def test_without_a_home_folder_results_stay_in_memory_and_a_warning_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pwd = pytest.importorskip("pwd")

    def nobody(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    settings = load(tmp_path, {"AGENT_JWT_TOKEN": TOKEN, "HOME": "relative"})
    assert settings.spool is None
    [warning] = settings.warnings
    assert "ATLAS_SPOOL=off" in warning
