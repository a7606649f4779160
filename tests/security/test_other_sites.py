"""A page of another site, in the browser of somebody who is logged in, reads nothing and changes nothing."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import browser
from tests.certificates import certificate
from tests.e2e.processes import Platform
from tests.e2e.test_people import first_login

PASSWORD = "tall trees by the sea"
ATTACK = """
async (url) => {
  const tried = {};
  const attempt = async (name, work) => {
    try { tried[name] = await work(); } catch (error) { tried[name] = "refused"; }
  };
  const reads = { credentials: "include", mode: "cors" };
  await attempt("read", async () => (await fetch(url + "/api/v1/whoami", reads)).text());
  await attempt("opaque", async () => (await fetch(url + "/api/v1/whoami", {...reads, mode: "no-cors"})).text());
  for (const type of ["application/json", "text/plain", "application/x-www-form-urlencoded"]) {
    await attempt("write " + type, async () => (await fetch(url + "/api/v1/agents", {
      ...reads, method: "POST", headers: {"Content-Type": type}, body: '{"name": "planted"}',
    })).text());
    await attempt("blind " + type, async () => (await fetch(url + "/api/v1/agents", {
      ...reads, mode: "no-cors", method: "POST", headers: {"Content-Type": type}, body: '{"name": "planted"}',
    })).text());
  }
  await attempt("delete", async () => (await fetch(url + "/api/v1/session", {...reads, method: "DELETE"})).text());
  await attempt("script", () => new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = url + "/api/v1/whoami";
    script.onload = () => resolve("loaded");
    script.onerror = () => reject(new Error());
    document.head.append(script);
  }));
  await attempt("frame", () => new Promise((resolve) => {
    const frame = document.createElement("iframe");
    frame.src = url + "/login";
    frame.onload = () => {
      try { resolve(frame.contentDocument.body.innerText || "empty"); } catch { resolve("opaque"); }
    };
    document.body.append(frame);
  }));
  const form = document.createElement("form");
  form.method = "post";
  form.action = url + "/api/v1/agents";
  form.enctype = "text/plain";
  form.target = "elsewhere";
  form.innerHTML = `<input name='{"name": "planted", "x": "' value='"}'>`;
  const target = document.createElement("iframe");
  target.name = "elsewhere";
  document.body.append(target, form);
  const sent = new Promise((resolve) => { target.onload = resolve; });
  form.submit();
  await sent;
  return tried;
}
"""


class Elsewhere(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Elsewhere</title><body>You have won.")

    def log_message(self, *_: object) -> None: ...


@contextmanager
def another_site() -> Iterator[int]:
    """Serve pages of somebody else's; return the port."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        serving = threading.Thread(target=partial(server.serve_forever, poll_interval=0.05))
        serving.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            serving.join()


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    running = Platform(tmp_path / "network")
    running.start()
    yield running
    running.kill()


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


def logged_in(platform: Platform, page: Page) -> None:
    """Set the administrator's password by the link that the network printed, as they would."""
    page.goto(first_login(platform))
    page.locator("#whose").get_by_text("admin").wait_for()
    assert "atlas_invite_" not in page.url
    page.locator("#invitation input[name=password]").fill(PASSWORD)
    page.locator("#invitation input[name=again]").fill(PASSWORD)
    page.locator("#invitation button").click()
    page.wait_for_url(f"{platform.url}/overview")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_another_site_reads_nothing_and_changes_nothing(platform: Platform, opened: Browser, host: str) -> None:
    """`localhost` is another site than 127.0.0.1; another port of 127.0.0.1 is the same site, with the same cookies."""
    context = opened.new_context()
    try:
        page = context.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        logged_in(platform, page)
        cookies = {one["name"]: one for one in context.cookies()}
        assert set(cookies) == {"atlas_session", "atlas_device"}
        assert all((one["httpOnly"], one["sameSite"]) == (True, "Lax") for one in cookies.values())
        assert page.evaluate("document.cookie") == ""
        with another_site() as port:
            visited = context.new_page()
            visited.goto(f"http://{host}:{port}/")
            tried = visited.evaluate(ATTACK, platform.url)
        read = {name: found for name, found in tried.items() if found not in ("refused", "", "opaque", "empty")}
        assert read == {}
        assert platform.atlas("agents", "list", "--json") == '{"items":[]}\n'
        page.reload()
        page.get_by_role("button", name="Log out").click()
        page.locator("#login button").wait_for()
        page.locator("#login input[name=name]").fill("admin")
        page.locator("#login input[name=password]").fill("wrong")
        page.locator("#login button").click()
        page.get_by_text("the name or the password is wrong").wait_for()
        page.locator("#login input[name=password]").fill(PASSWORD)
        page.locator("#login button").click()
        page.wait_for_url(f"{platform.url}/overview")
        assert faults == []
    finally:
        context.close()


def test_over_tls_the_cookies_can_be_set_by_no_other_host_and_travel_by_tls_alone(
    tmp_path: Path, opened: Browser
) -> None:
    chain, key = certificate(tmp_path)
    secure = Platform(tmp_path / "secure", tls_cert=str(chain), tls_key=str(key))
    secure.start()
    context = opened.new_context(ignore_https_errors=True)
    try:
        page = context.new_page()
        logged_in(secure, page)
        cookies = {one["name"]: one for one in context.cookies()}
        assert set(cookies) == {"__Host-atlas_session", "__Host-atlas_device"}
        assert all((one["secure"], one["httpOnly"], one["path"]) == (True, True, "/") for one in cookies.values())
        page.goto(f"{secure.url}/login")
        page.locator("#inside").get_by_text("You are admin.").wait_for()
        assert page.locator("#login a").count() == 0, "there is no identity provider"
    finally:
        context.close()
        secure.kill()


def test_a_link_that_was_used_says_so_on_the_page(platform: Platform, opened: Browser) -> None:
    context = opened.new_context()
    try:
        page = context.new_page()
        logged_in(platform, page)
        again = context.new_page()
        again.goto(first_login(platform))
        again.get_by_text("this link was used").wait_for()
    finally:
        context.close()
