from __future__ import annotations

from agentic_atlas.sdk.misspelt import unread

KNOWN = ("ATLAS_GRACE", "ATLAS_HOST", "ATLAS_HTTP_PORT", "ATLAS_LOG_LEVEL", "AGENT_JWT_TOKEN", "ROUTER_WS_URL")


def test_a_typo_is_found_with_the_name_that_was_meant() -> None:
    given = ("ATLAS_GRCE", "ATLAS_LOGLEVEL", "ATLAS_HTTPPORT", "AGENT_TOKEN", "ROUTER_URL")
    assert dict(unread(given, KNOWN)) == {
        "ATLAS_GRCE": "ATLAS_GRACE",
        "ATLAS_LOGLEVEL": "ATLAS_LOG_LEVEL",
        "ATLAS_HTTPPORT": "ATLAS_HTTP_PORT",
        "AGENT_TOKEN": "AGENT_JWT_TOKEN",
        "ROUTER_URL": "ROUTER_WS_URL",
    }


def test_names_that_are_known_or_somebody_elses_are_not_told() -> None:
    assert unread((*KNOWN, "ATLAS_URI", "ATLAS_CLUSTER", "PATH", "DATABASE_URL"), KNOWN) == []


def test_where_all_is_ours_a_name_that_is_near_to_none_is_told_too() -> None:
    assert unread(("ATLAS_URI", "PORT"), KNOWN, ours=("ATLAS_",)) == [("ATLAS_URI", "")]
