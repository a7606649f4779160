"""`atlas agents share` and `atlas groups`: what is asked for, and what is said of it."""

from __future__ import annotations

import json

from tests.integration.cli.commands import atlas, complained, printed
from tests.integration.cli.platform_server import Platform


def test_an_agent_is_shared_with_several_at_once_and_with_some_of_them_no_more(platform: Platform) -> None:
    platform.add_agent("hello")
    shared = printed(atlas("agents", "share", "hello", "--with", "eve", "--with", "group:readers"))
    assert shared == "hello is shared with eve, group:readers.\n"
    shared = printed(atlas("agents", "share", "hello", "--with", "eve", "--manage"))
    assert shared == "hello is shared with eve (manage), group:readers.\n"
    left = json.loads(printed(atlas("agents", "unshare", "hello", "--with", "eve", "--json")))
    assert left == {"items": [{"subject": "group:readers", "access": "call"}], "ended": []}
    assert printed(atlas("agents", "unshare", "hello", "--with", "group:readers")) == "hello is yours alone.\n"
    assert "--with" in complained(atlas("agents", "share", "hello"), code=2)
    assert "there is no agent" in complained(atlas("agents", "share", "none", "--with", "eve"))


def test_who_an_agent_was_never_shared_with_is_said(platform: Platform) -> None:
    platform.add_agent("hello", shares=[{"subject": "eve", "access": "call"}])
    platform.shares = {"eve": "call"}
    result = atlas("agents", "unshare", "hello", "--with", "eve", "--with", "bob")
    assert (printed(result), result.stderr) == ("hello is yours alone.\n", "hello was not shared with bob.\n")
    assert atlas("agents", "unshare", "hello", "--with", "user:eve").stderr == ""


def test_all_who_are_named_are_asked_for_at_once_and_what_ends_with_a_share_is_said(platform: Platform) -> None:
    platform.add_agent("hello")
    platform.ended = [{"id": f"tok_{n}", "name": "", "made_by": name} for n, name in enumerate(("eve", "bob", "eve"))]
    printed(atlas("agents", "share", "hello", "--with", "eve", "--with", "bob", "--manage"))
    said = printed(atlas("agents", "unshare", "hello", "--with", "eve", "--with", "bob"))
    assert said.splitlines() == [
        "hello is yours alone.", "Ended 2 tokens that eve made.", "Ended 1 token that bob made.",
    ]  # fmt: skip
    shared, unshared = [asked for asked in platform.server.asked if "/shares" in asked.path]
    assert (shared.body["subjects"], unshared.path[-15:]) == (["eve", "bob"], "/shares/eve,bob")


def test_who_may_call_an_agent_is_shown_with_it_and_so_is_what_one_may_oneself(platform: Platform) -> None:
    shares = [{"subject": "eve", "access": "manage"}, {"subject": "everyone", "access": "call"}]
    platform.add_agent("hello", shares=shares)
    platform.add_agent("theirs", access="call")
    assert "\nshared with  eve (manage), everyone\n" in printed(atlas("agents", "show", "hello"))
    assert "\nyou may  call\n" in printed(atlas("agents", "show", "theirs"))


def test_an_agent_is_disabled_enabled_and_renamed(platform: Platform) -> None:
    platform.add_agent("hello")
    said = [printed(atlas("agents", *words)) for words in (("disable", "hello"), ("enable", "hello"))]
    assert said == ["Disabled ada/hello: `atlas agents enable ada/hello` lets it in again.\n", "Enabled ada/hello.\n"]
    assert printed(atlas("agents", "rename", "hello", "greeter")) == "hello is called ada/greeter now.\n"
    changes = [asked.body for asked in platform.server.asked if asked.method == "PATCH"]
    assert changes == [{"disabled": True}, {"disabled": False}, {"name": "greeter"}]
    assert json.loads(printed(atlas("agents", "rename", "hello", "x", "--json")))["full_name"] == "ada/x"


def test_groups_are_made_filled_listed_and_deleted(platform: Platform) -> None:
    assert "no groups" in atlas("groups").stderr
    assert printed(atlas("groups", "create", "readers")).startswith("Made the group readers: ")
    assert printed(atlas("groups", "add", "readers", "eve")) == "In readers: eve.\n"
    listed = printed(atlas("groups")).splitlines()
    assert [line.split() for line in listed] == [["GROUP", "MEMBERS"], ["readers", "eve"]]
    assert json.loads(printed(atlas("groups", "list", "--json")))["items"][0]["members"] == ["eve"]
    assert printed(atlas("groups", "remove", "readers", "eve")) == "In readers: nobody.\n"
    refused = atlas("groups", "delete", "readers", input="n\n")
    assert (refused.exit_code, list(platform.groups)) == (1, ["readers"])
    unasked = complained(atlas("groups", "delete", "readers", input=""), 2)
    assert "nobody is here to say yes: --yes does it without the question" in unasked
    platform.ended = [{"id": "tok_1", "name": "box", "made_by": "eve"}]
    deleted = json.loads(printed(atlas("groups", "delete", "readers", "--yes", "--json")))
    assert deleted == {"deleted": "readers", "ended": platform.ended}
    assert platform.groups == {}
    platform.groups["readers"] = ["eve"]
    said = printed(atlas("groups", "delete", "readers", "--yes"))
    assert said == "Deleted the group readers.\nEnded 1 token that eve made.\n"
