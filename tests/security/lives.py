"""A network of real processes in which everything that is secret, or nobody else's business, is used once.

It logs all there is to log. What was said, and what a process shows of itself to others of its user, is kept for
whoever looks for the secrets in it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import psutil
import pyotp

from agentic_atlas import AtlasError, Client
from tests.e2e.processes import PATIENCE, Platform, Process, connected, python

PAYLOAD = "m4rk0fap4yl0ad"
CLIENT = "secret of the identity provider's client"
"""In the environment of the server by its purpose, and of nobody else."""
ERROR = "m4rk0fan3rr0r"
"""In the message of an exception, which its agent's owner has in the agent's log, and who asked in the task."""

AGENT = f"""
from agentic_atlas import Agent, Context

agent = Agent("worker")

@agent.skill
async def echo(ctx: Context, text: str) -> str:
    await ctx.progress(0.5, "half of it")
    return text

@agent.skill(process=True)
def apart(text: str) -> str:
    # What others see of the process that a skill is run in.
    from pathlib import Path
    return "".join(Path("/proc/self", name).read_text() for name in ("cmdline", "comm", "environ"))

@agent.skill
async def fails(text: str) -> str:
    raise ValueError("{ERROR}")

if __name__ == "__main__":
    agent.run()
"""


@dataclass
class Life:
    """What was secret in it, and all that could be seen of it.

    Attributes:
        folder: of the data; the network has ended.
        secrets: each by what it is.
        server: what the server wrote.
        agent: what the agent wrote.
        typed: what commands printed that show no secret by their purpose.
        answers: bodies and heads of all answers but those whose purpose is to give a secret out.
        shown: command line, name and environment of each process, by its id and name.
        kept: the files that hold a secret by their purpose, and which; nobody but their owner can read them.
    """

    folder: Path
    secrets: dict[str, str] = field(default_factory=dict)
    server: str = ""
    agent: str = ""
    typed: str = ""
    answers: list[str] = field(default_factory=list)
    shown: dict[str, bytes] = field(default_factory=dict)
    kept: dict[str, set[str]] = field(default_factory=dict)

    def forms(self) -> Iterator[tuple[str, bytes]]:
        """Yield each secret in the forms in which it could be written somewhere."""
        for name, secret in self.secrets.items():
            # The signature of a token is what is secret of it: header and claims say what everybody may know.
            said = secret.rpartition(".")[2]
            for form in (said, quote(said, safe=""), base64.b64encode(said.encode()).decode().rstrip("=")):
                yield name, form.encode()

    def found_in(self, where: str | bytes) -> set[str]:
        """Return which secrets stand there."""
        text = where.encode() if isinstance(where, str) else where
        return {name for name, form in self.forms() if form in text}


class Person:
    """Asks the API as a browser does, and keeps what is answered."""

    def __init__(self, life: Life, url: str, **headers: str) -> None:
        self._life = life
        self._http = httpx.Client(base_url=url, trust_env=False, timeout=PATIENCE)
        self._http.headers.update({"Origin": url, **headers})

    def __enter__(self) -> Person:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def asks(self, method: str, path: str, body: object = None, *, gives: bool = False, status: int = 0) -> Any:
        """Ask; `gives`: the answer's purpose is to give out a secret."""
        answer = self._http.request(method, path, json=body)
        assert not status or answer.status_code == status, (path, answer.status_code, answer.text)
        if not gives:
            self._life.answers.append(f"{method}: {answer.headers} {answer.text}")
        return answer.json() if answer.content else None

    def cookie(self, name: str) -> str:
        return str(self._http.cookies[name])


@contextmanager
def lived(folder: Path) -> Iterator[Life]:
    """Have such a network, which has ended when the block begins."""
    life = Life(folder / "network", {CLIENT: "th3-s3cret-of-the-client"})
    life.kept = {
        "config/agentic-atlas/credentials.json": {"key of the administrator"},
        "worker/.env": {"token"},
    }
    provider = {
        "oidc_issuer": "https://127.0.0.1:9",
        "oidc_client_id": "atlas",
        "oidc_client_secret": life.secrets[CLIENT],
    }
    platform = Platform(folder / "network", log_level="trace", log_format="json", **provider)
    try:
        platform.start()
        life.secrets["key of the administrator"] = platform.api_key
        with _agent(life, platform) as agent:
            _works(life, platform)
            _people(life, platform)
            _typed(life, platform)
            _refused(life, platform)
            _looked_at(life, platform, agent)
            agent.stop()
        life.agent = agent.output
        assert platform.stop() == 0
        assert platform.process is not None
        life.server = platform.process.output
        yield life
    finally:
        platform.kill()


@contextmanager
def _agent(life: Life, platform: Platform) -> Iterator[Process]:
    """Run an agent as its owner does, with the token in `.env`."""
    life.secrets["token"] = platform.token("worker")
    place = platform.folder / "worker"
    place.mkdir()
    (place / "agent.py").write_text(AGENT)
    (place / ".env").write_text(f"AGENT_JWT_TOKEN={life.secrets['token']}\n")
    environ = {name: value for name, value in platform.environ.items() if not name.startswith("ATLAS_OIDC")}
    agent = Process(*python("agent.py"), folder=place, environ=environ)
    try:
        agent.wait_for(connected)
        yield agent
    finally:
        agent.kill()


def _works(life: Life, platform: Platform) -> None:
    with Client(platform.url, api_key=platform.api_key) as atlas:
        assert atlas.call("worker", "echo", {"text": f"a {PAYLOAD}"}) == f"a {PAYLOAD}"
        life.shown["skill"] = str(atlas.call("worker", "apart", {"text": PAYLOAD})).encode()
        with suppress(AtlasError):
            atlas.call("worker", "fails", {"text": PAYLOAD})
        with suppress(AtlasError):
            atlas.call("worker", "echo", {"text": [PAYLOAD]})
        one = atlas.tokens.list("worker")[0]
        life.secrets["signing key"] = signing_key(platform.folder / "data")
        life.secrets["rotated token"] = atlas.tokens.rotate(one.id, overlap=3_600).token


def signing_key(data: Path) -> str:
    """Return what is secret of the key that signs the tokens of a network, whose folder of data this is."""
    (pem,) = [one for one in (data / "keys").glob("*.pem") if one.stem != "audit"]
    return pem.read_text().splitlines()[1]


def _people(life: Life, platform: Platform) -> None:
    secrets = life.secrets
    secrets["password"], secrets["password to be"] = "qu1nces-and-m3dlars", "m3dlars-and-qu1nces"
    secrets["wrong password"] = "n0t-the-passw0rd-of-anybody"
    admin = Person(life, platform.url, Authorization=f"Bearer {platform.api_key}")
    with admin, Person(life, platform.url) as ada, Person(life, platform.url) as machine:
        made = admin.asks("POST", "/api/v1/invitations", {"user": "ada"}, gives=True, status=201)
        secrets["invitation"] = made["link"].partition("#invitation=")[2]
        assert secrets["invitation"]
        ada.asks("POST", "/api/v1/invitations/show", {"secret": secrets["invitation"]}, status=200)
        ada.asks(
            "POST",
            "/api/v1/invitations/accept",
            {"secret": secrets["invitation"], "password": secrets["password"]},
            status=200,
        )
        said = {"name": "ada", "password": secrets["password"]}
        ada.asks("POST", "/api/v1/session", said | {"password": secrets["wrong password"]}, status=401)
        ada.asks("POST", "/api/v1/session", said, gives=True, status=201)
        for name in ("session", "device"):
            secrets[name] = ada.cookie(f"atlas_{name}")
        ada.asks(
            "PUT",
            "/api/v1/users/me/password",
            {"current": secrets["password"], "new": secrets["password to be"]},
            status=200,
        )
        said["password"] = secrets["password to be"]
        key = ada.asks("POST", "/api/v1/session/key", said | {"host": "laptop"}, gives=True, status=201)
        secrets["key of a log-in"] = key["key"]
        key = ada.asks("POST", "/api/v1/api-keys", {"name": "ci"}, gives=True, status=201)
        secrets["key"] = key["key"]
        codes = machine.asks("POST", "/api/v1/login-codes", {"host": "desk"}, gives=True, status=201)
        secrets["device code"], secrets["user code"] = codes["device_code"], codes["user_code"]
        admin.asks("POST", "/api/v1/login-codes/approve", {"user_code": secrets["user code"]}, status=200)
        collected = machine.asks(
            "POST", "/api/v1/login-codes/token", {"device_code": secrets["device code"]}, gives=True, status=200
        )
        secrets["key of a machine"] = collected["key"]
        for name in ("whoami", "users/me", "sessions", "api-keys", "agents", "tasks"):
            ada.asks("GET", f"/api/v1/{name}", status=200)
        enrolled = ada.asks(
            "POST", "/api/v1/users/me/totp", {"password": secrets["password to be"]}, gives=True, status=201
        )
        secrets["secret of one-time passwords"] = enrolled["secret"]
        now = pyotp.TOTP(enrolled["secret"]).now()
        confirmed = ada.asks("POST", "/api/v1/users/me/totp/confirm", {"code": now}, gives=True, status=200)
        secrets["recovery code"], secrets["used recovery code"] = confirmed["codes"][:2]
        ada.asks("POST", "/api/v1/session", said | {"code": secrets["used recovery code"]}, gives=True, status=201)
        ada.asks("GET", "/login/oidc", status=303)
        ada.asks("GET", "/login/oidc/callback?code=x&state=y", status=303)
        # What was typed into the wrong field, as happens to everybody once.
        ada.asks("POST", "/api/v1/session", {"name": said["password"], "password": "ada"}, status=401)
        for name in ("users", "users/me/sessions", "invitations", "audit"):
            admin.asks("GET", f"/api/v1/{name}")


def _typed(life: Life, platform: Platform) -> None:
    """Look at all of it as people do, in the terminal."""
    commands = "agents", "agents show worker", "tokens list worker", "keys list", "tasks list", "whoami", "platforms"
    for words in (*commands, "users list", "audit list"):
        life.typed += platform.atlas(*words.split())


def _refused(life: Life, platform: Platform) -> None:
    """Say each secret where it has no business, so that it is refused."""
    secrets = list(life.secrets.values())
    with Person(life, platform.url, Authorization=f"Bearer {platform.api_key}") as admin:
        for secret in secrets:
            for path in ("agents", "invitations", "sessions"):
                admin.asks("DELETE", f"/api/v1/{path}/x", {"secret": secret})
            admin.asks("POST", "/api/v1/agents", {"name": ["a", secret]}, status=422)
            admin.asks("POST", "/api/v1/session", {"name": "ada", "password": {"is": secret}}, status=422)
            admin.asks("POST", "/api/v1/session", {"name": "ada", "password": secret + "x" * 300}, status=422)
            admin.asks("POST", "/api/v1/session/key", {"name": "ada", "password": secret}, status=422)
        # A name that is not known is told again; of these it is seen what they are.
        for secret in (one for one in secrets if one.startswith(("atlas_", "eyJ"))):
            admin.asks("POST", "/api/v1/agents", {"name": "worker", secret: True}, status=422)
            admin.asks("GET", f"/api/v1/agents/{quote(secret)}", status=404)
            admin.asks("GET", f"/api/v1/tasks/{quote(secret)}")
            admin.asks("GET", "/api/v1/tasks?limit=" + quote(secret), status=422)
    for secret in secrets:
        with Person(life, platform.url, Authorization=f"Bearer {secret}x") as nobody:
            nobody.asks("GET", "/api/v1/whoami", status=401)
        router = platform.router_url.replace("ws://", "http://").removesuffix("/ws")
        with Person(life, router, Authorization=f"Bearer {secret}x") as agent:
            agent.asks("GET", "/ws")


def _looked_at(life: Life, platform: Platform, agent: Process) -> None:
    assert platform.process is not None
    for began in (platform.process.pid, agent.pid):
        for process in [psutil.Process(began), *psutil.Process(began).children(recursive=True)]:
            seen = seen_of(process.pid)
            if process.pid == platform.process.pid:
                assert life.secrets[CLIENT].encode() in seen, "somebody has set it there"
                seen = seen.replace(life.secrets[CLIENT].encode(), b"")
            life.shown[f"{process.name()} {process.pid}"] = seen


def seen_of(pid: int) -> bytes:
    """Return what a process shows of itself to others of its user."""
    return b"\0".join(Path("/proc", str(pid), name).read_bytes() for name in ("cmdline", "comm", "environ"))


def written(life: Life) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of each file that server and agents have written."""
    for path in sorted(life.folder.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(life.folder)), path.read_bytes()


def document(text: str) -> list[dict[str, Any]]:
    """Return the lines of a log."""
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [line for line in lines if "event" in line]
