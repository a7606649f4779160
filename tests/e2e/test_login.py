"""Logging in from a machine that has nothing yet, as the processes a user would start."""

import json
import stat
from pathlib import Path

import pytest

from tests.e2e.processes import Platform, Process, free_port, python


@pytest.fixture
def elsewhere(platform: Platform, tmp_path: Path) -> dict[str, str]:
    """The environment of a machine that is set up for no platform."""
    home = tmp_path / "elsewhere"
    home.mkdir()
    environ = {name: value for name, value in platform.environ.items() if not name.startswith("ATLAS_")}
    return environ | {"HOME": str(home), "XDG_CONFIG_HOME": str(home / "config")}


def atlas(environ: dict[str, str], *arguments: str) -> Process:
    return Process(*python("-m", "agentic_atlas", *arguments), folder=Path(environ["HOME"]), environ=environ)


def test_a_machine_is_let_in_by_code_and_goes_out_again(platform: Platform, elsewhere: dict[str, str]) -> None:
    credentials = Path(elsewhere["XDG_CONFIG_HOME"]) / "agentic-atlas" / "credentials.json"
    waiting = atlas(elsewhere, "login", platform.url, "--code")
    try:
        code = waiting.wait_for("atlas login --approve").split()[-1]
        approved = json.loads(platform.atlas("login", "--approve", code, "--yes", "--json"))
        assert (approved["approved"], approved["address"]) == (True, "127.0.0.1")
        assert waiting.wait() == 0, waiting.output
    finally:
        waiting.kill()
    assert f"You are admin on {platform.url}" in waiting.output
    assert stat.S_IMODE(credentials.stat().st_mode) == 0o600
    key = json.loads(credentials.read_text())["platforms"][platform.url]["api_key"]
    assert key != platform.api_key

    who = atlas(elsewhere, "whoami", "--json")
    assert who.wait() == 0, who.output
    assert json.loads(who.output)["api_key"]["name"].startswith("atlas login on ")

    out = atlas(elsewhere, "logout", "--json")
    assert out.wait() == 0, out.output
    assert json.loads(out.output) == {"url": platform.url, "forgotten": True, "revoked": True}
    again = atlas(elsewhere | {"ATLAS_API_URL": platform.url, "ATLAS_API_KEY": key}, "whoami")
    assert again.wait() == 1
    assert "not valid any more" in again.output

    assert "no login waits for this code" in platform.atlas("login", "--approve", code, "--yes", check=False)
    platform.stop()
    assert platform.process is not None
    for secret in (key, code, code.replace("-", "")):
        assert secret not in platform.process.output


def test_a_second_network_leaves_commands_to_the_first_and_keeps_those_that_were_sent_to_it_after_its_end(
    platform: Platform, tmp_path: Path
) -> None:
    environ = platform.environ | {
        "ATLAS_DATA_DIR": str(tmp_path / "second"),
        "ATLAS_HTTP_PORT": str(free_port()),
        "ATLAS_ROUTER_PORT": str(free_port()),
    }
    there = {name: value for name, value in platform.environ.items() if name != "ATLAS_API_URL"}
    second = Process(*python("-m", "agentic_atlas", "up"), folder=tmp_path, environ=environ)
    try:
        line = second.wait_for("Commands go to ")
        assert f"Commands go to {platform.url}, which answers: `atlas platforms use http" in line
        atlas_in(there, "platforms", "use", environ["ATLAS_HTTP_PORT"])
        assert environ["ATLAS_HTTP_PORT"] in atlas_in(there, "whoami")
        assert second.stop() == 0
    finally:
        second.kill()
    told = atlas_in(there, "whoami", code=1)
    assert f"cannot reach Agentic Atlas at http://127.0.0.1:{environ['ATLAS_HTTP_PORT']}: " in told
    assert "`atlas platforms`" in told


def atlas_in(environ: dict[str, str], *arguments: str, code: int = 0) -> str:
    done = Process(*python("-m", "agentic_atlas", *arguments), folder=Path(environ["HOME"]), environ=environ)
    assert done.wait() == code, done.output
    return done.output
