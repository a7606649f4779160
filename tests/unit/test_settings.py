"""Bounds of settings that something else relies on."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from agentic_atlas.auth.hosts import Hosts
from agentic_atlas.errors import ConfigurationError, Forbidden
from agentic_atlas.sdk.link.settings import Timeouts
from agentic_atlas.settings import Settings, misspelt

IDLE_TIMER = 25.0
"""Seconds after which some box on the way may close a connection that carries nothing."""


def test_a_connection_carries_data_at_least_every_25_seconds_whatever_is_set() -> None:
    longest = 24.0
    assert Settings(beat_every=longest).beat_every + Timeouts().tick < IDLE_TIMER
    with pytest.raises(ValidationError, match="beat_every"):
        Settings(beat_every=longest + 0.1)


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
def test_an_address_for_others_that_leads_nowhere_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"ATLAS_{name.upper()}", value)
    with pytest.raises(ConfigurationError, match=f"^ATLAS_{name.upper()} .*: it has to look like "):
        Settings()


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ATLAS_DATA_DIR", "ATLAS_PUBLIC_URL", "ATLAS_GRACE"):
        monkeypatch.setenv(name, "")
    settings = Settings()
    assert settings.data_dir.is_absolute()
    assert (settings.public_url, settings.grace) == (None, 30.0)


def test_a_user_without_a_home_folder_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ATLAS_DATA_DIR", raising=False)
    monkeypatch.setattr("agentic_atlas.sdk.environment.home", lambda: None)
    with pytest.raises(ConfigurationError, match="ATLAS_DATA_DIR"):
        Settings()


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
