"""What pages load: each under an address of its content, for ever."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentic_atlas.errors import ConfigurationError, NotFound
from agentic_atlas.platform import assets
from requirements import pages

pytestmark = pytest.mark.anyio


async def test_an_asset_may_be_kept_for_ever_under_the_address_of_its_content() -> None:
    _, _, digest, name = assets.address("atlas.css").split("/")
    answer = await assets.show(digest, name)
    fields = dict(answer.fields)
    assert fields["cache-control"] == "public, max-age=31536000, immutable"
    assert fields["content-type"] == "text/css; charset=utf-8"
    assert b"--accent" in answer.body
    assert fields["content-security-policy"] == "default-src 'none'; connect-src 'self'"
    with pytest.raises(NotFound):
        await assets.show("0" * 16, name)
    with pytest.raises(NotFound):
        await assets.show(digest, "../tokens.css")


def test_an_asset_that_is_not_there_is_named_with_what_brings_it() -> None:
    with pytest.raises(ConfigurationError, match="`make setup`"):
        assets.address("nothing.js")


def test_what_was_fetched_is_what_the_lock_says_with_its_licence() -> None:
    assert (pages.VENDORED / "htmx.lock").read_text() == pages.LOCK.read_text(), "run `make setup`"
    assert "Zero-Clause BSD" in (pages.VENDORED / "htmx.LICENSE").read_text()
    assert {path.name for path in pages.VENDORED.iterdir()} == {*pages.FILES.values(), "htmx.lock"}


@pytest.mark.parametrize("script", assets._SCRIPTS)
def test_our_own_scripts_are_few_and_plain(script: str) -> None:
    text = (Path(assets.__file__).parent / "static" / "js" / script).read_text()
    assert text.count("\n") < 150
    assert not any(word in text for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "eval(", "document.write"))


def test_the_configuration_of_htmx_is_json() -> None:
    text = (Path(assets.__file__).parent / "templates" / "base.html").read_text()
    said = text.partition('name="htmx-config" content=\'')[2].partition("'")[0]
    assert json.loads(said)["includeIndicatorCSS"] is False
