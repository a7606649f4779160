"""What an agent and a client are told from outside, and what they are told when that cannot be used."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agentic_atlas.errors import ConfigurationError
from agentic_atlas.sdk import environment
from agentic_atlas.sdk.environment import client_settings, credentials_path, forget, load, read_credentials, remember

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


def test_a_token_of_the_process_does_not_count_as_one_of_the_file(tmp_path: Path) -> None:
    env_file(tmp_path, "AGENT_JWT_TOKEN=a.b.c\n")
    settings = load(tmp_path, {"AGENT_JWT_TOKEN": TOKEN})
    assert settings.token == TOKEN
    assert not settings.token_from_file


def test_an_empty_variable_is_one_that_is_not_set(tmp_path: Path) -> None:
    env_file(tmp_path, f"AGENT_JWT_TOKEN={TOKEN}\nROUTER_WS_URL=\n")
    assert load(tmp_path, {"AGENT_JWT_TOKEN": ""}).token == TOKEN


@pytest.mark.parametrize("line", ['AGENT_JWT_TOKEN="{}"', "AGENT_JWT_TOKEN='{}'", "export AGENT_JWT_TOKEN={}  # mine"])
def test_the_usual_ways_to_write_a_file_are_read(tmp_path: Path, line: str) -> None:
    env_file(tmp_path, "\ufeff" + line.format(TOKEN) + "\r\n")
    assert load(tmp_path, {}).token == TOKEN


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
    for part in ("there is no .env", "atlas tokens create NAME", ".env beside"):
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
        (f"{TOKEN} ", "spaces or line breaks"),
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
    [("BACKEND_API_BASE_URL", "ftp://x"), ("ATLAS_LOG_LEVEL", "loud"), ("ATLAS_LOG_FORMAT", "xml")],
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


def test_a_folder_that_cannot_be_written_is_a_plain_sentence(tmp_path: Path) -> None:
    (tmp_path / ".config").write_text("a file, not a folder")
    with pytest.raises(ConfigurationError, match="can't"):
        remember("https://a.example", "k1", home(tmp_path))


def test_the_config_folder_of_the_desktop_is_respected_when_it_is_absolute(tmp_path: Path) -> None:
    assert credentials_path({"XDG_CONFIG_HOME": str(tmp_path)}) == tmp_path / "agentic-atlas" / "credentials.json"
    relative = credentials_path({"XDG_CONFIG_HOME": "somewhere", "HOME": str(tmp_path)})
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
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    settings = load(tmp_path, {"AGENT_JWT_TOKEN": TOKEN})
    assert settings.spool is None
    [warning] = settings.warnings
    assert "ATLAS_SPOOL=off" in warning
