"""Bounds of settings that something else relies on."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentic_atlas.auth.hosts import Hosts
from agentic_atlas.errors import ConfigurationError, Forbidden
from agentic_atlas.protocol.messages import Limits
from agentic_atlas.sdk.link.settings import Timeouts
from agentic_atlas.settings import NAMES, OF_PARTS, OWN, Settings, misspelt, read, variable

OTHERS = {
    "data_dir": "/data",
    "backup_dir": "/backups",
    "host": "::1",
    "http_port": "1",
    "router_port": "2",
    "public_url": "https://a.example",
    "public_router_url": "wss://a.example/ws",
    "allowed_hosts": "b.example",
    "admin": "root",
    "tls_cert": "/cert.pem",
    "tls_key": "/key.pem",
    "trusted_proxies": "127.0.0.1",
    "oidc_issuer": "https://id.example.org",
    "oidc_client_id": "atlas",
    "oidc_client_secret": "secret",
    "oidc_create": "True",
    "oidc_role": "viewer",
    "oidc_domains": "example.org",
    "outgoing_hosts": "keys.corp.example",
    "allow_plaintext": "True",
    "log_level": "debug",
    "log_payloads": "True",
    "log_format": "json",
    "open_browser": "False",
    "drain": "1.0",
    "login_lifetime": "60.0",
    "session_idle": "300.0",
    "session_lifetime": "600.0",
    "max_token_lifetime": "3600.0",
    "max_token_age": "7200.0",
    "beat_every": "1.0",
    "grace": "1.0",
    "message_bytes": "65536",
    "max_connections": "1",
    "max_connections_per_address": "1",
    "queue_per_agent": "1",
    "open_per_caller": "2",
    "open_per_user": "3",
    "open_tasks": "4",
    "watchers_per_task": "5",
    "watchers_per_key": "6",
    "requests_per_second": "7",
    "logs_age": "60.0",
    "logs_agent_bytes": "1000000",
    "logs_bytes": "2000000",
}
"""A value for each that is not its default."""

IDLE_TIMER = 25.0
"""Seconds after which some box on the way may close a connection that carries nothing."""


def parts(settings: Settings) -> list[object]:
    """Return the server's settings and those of each part."""
    engine = settings.engine
    kept = engine.sessions, engine.logs
    return [settings, settings.router, engine, engine.open, engine.messages, engine.tokens, *kept]


def test_a_connection_carries_data_at_least_every_25_seconds_whatever_is_set() -> None:
    longest = 24.0
    assert read({"beat_every": longest}).router.beat_every + Timeouts().tick < IDLE_TIMER
    with pytest.raises(ConfigurationError, match=r"^ATLAS_BEAT_EVERY has to be at most 24, not '24\.1'$"):
        read({}, {"ATLAS_BEAT_EVERY": "24.1"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("public_router_url", "https://x/ws"),
        ("public_router_url", "wss://x"),
        ("public_router_url", "wss://x/ws?token=a"),
        ("public_url", "foo"),
        ("public_url", "https://x/api/v1"),
        ("public_url", "wss://x"),
    ],
)
def test_an_address_for_others_that_leads_nowhere_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^ATLAS_{name.upper()} .*: it has to look like "):
        read({}, {f"ATLAS_{name.upper()}": value})


def test_an_empty_variable_is_one_that_is_not_set() -> None:
    settings = read({}, dict.fromkeys(("ATLAS_DATA_DIR", "ATLAS_PUBLIC_URL", "ATLAS_GRACE"), ""))
    assert settings.data_dir.is_absolute()
    assert (settings.public_url, settings.router.grace) == (None, 30.0)


def test_a_user_without_a_home_folder_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentic_atlas.sdk.environment.home", lambda: None)
    with pytest.raises(ConfigurationError, match="ATLAS_DATA_DIR"):
        read({}, {})


@pytest.mark.parametrize("name", NAMES)
def test_everything_that_can_be_set_is_read_from_a_variable_of_its_name(name: str) -> None:
    environ = {variable(name): OTHERS[name]}
    part = OF_PARTS[name][0] if name in OF_PARTS else Settings
    after, before = (
        next(getattr(found, name) for found in parts(settings) if type(found) is part)
        for settings in (read({}, environ), read({}, {}))
    )
    assert str(after) == OTHERS[name] != str(before)


def test_what_is_given_counts_before_the_environment() -> None:
    environ = {"ATLAS_HTTP_PORT": "1", "ATLAS_GRACE": "1"}
    settings = read({"http_port": 2}, environ)
    assert (settings.http_port, settings.router.grace) == (2, 1.0)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("grace", "soon", "has to be a number, not 'soon'"),
        ("grace", "nan", "has to be"),
        ("http_port", "99999", "has to be at most 65535, not '99999'"),
        ("http_port", "80.5", "has to be a whole number, not '80.5'"),
        ("log_level", "loud", "has to be one of debug, error, info, trace, warning, not 'loud'"),
    ],
)
def test_a_value_that_is_not_acceptable_is_told_with_its_variable(name: str, value: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read({}, {variable(name): value})
    assert str(caught.value).startswith(f"{variable(name)} {said}")


def test_settings_that_are_left_alone_are_those_of_the_parts() -> None:
    assert read({"data_dir": "/data"}, {}) == Settings(data_dir=Path("/data"))


def test_payloads_and_events_fit_into_the_messages_that_are_set() -> None:
    small = read({"message_bytes": 65_536}, {}).engine.messages
    assert (small.message_bytes, small.payload_bytes, small.event_bytes) == (65_536, 49_152, 49_152)
    assert Limits.of(Limits().message_bytes) == Limits()


def test_each_setting_of_a_part_is_a_field_of_it() -> None:
    for name, (part, _) in OF_PARTS.items():
        assert name in part.__annotations__, name
    assert not set(OWN) & set(OF_PARTS)


def test_a_setting_that_is_misspelt_is_told_with_the_one_that_was_meant() -> None:
    assert misspelt(("ATLAS_GRCE", "ATLAS_GRACE", "ATLAS_API_URL", "ATLAS_SPOOL", "ATLAS_URI", "HOME")) == [
        "ATLAS_GRCE is set and nothing reads it: did you mean ATLAS_GRACE?"
    ]


def test_a_network_goes_by_its_address_its_public_ones_and_those_that_are_allowed() -> None:
    plain = Settings()
    assert set(plain.names) == {"127.0.0.1", ""}
    known = Settings(
        public_url="https://a.example", public_router_url="wss://b.example/ws", allowed_hosts="c.example, .d.example"
    )
    hosts = Hosts(known.names)
    for name in ("a.example", "b.example", "c.example", "x.d.example"):
        hosts.check([name])
    with pytest.raises(Forbidden):
        hosts.check(["d.example"])
