"""Tokens as an attacker would show them (RFC 8725), at every door: refused, logged nowhere, followed nowhere."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from operator import methodcaller
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from structlog.testing import LogCapture

from agentic_atlas.auth import SigningKey, load_or_create_ring
from agentic_atlas.backend.archive.manifest import KEYS
from agentic_atlas.backend.usecases import agents, machine, tokens
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.compose.network import Network, network
from agentic_atlas.settings import Settings
from tests.debug_log import debug_log
from tests.unit.auth.forge import b64, forged

MARK = "m4rk0fatt4ck"
"""In every token that is forged, so that a log which holds one is found."""
PATIENCE = 10.0


class Forger:
    """Makes tokens beside the true one of an agent, whose header, claims and key it knows."""

    def __init__(self, key: SigningKey, claims: dict[str, Any], canary: str) -> None:
        self.key = key
        self.header: dict[str, Any] = {"alg": "EdDSA", "typ": "agent+jwt", "kid": key.kid}
        self.claims = claims
        self.canary = canary

    def true(self) -> str:
        return forged(self.header, self.claims, self.key)

    def header_with(self, **changes: Any) -> str:
        return forged(_changed(self.header, changes), self.claims, self.key)

    def claims_with(self, **changes: Any) -> str:
        return forged(self.header, _changed(self.claims, changes), self.key)

    def expired(self, ago: int) -> str:
        end = int(time.time()) - ago
        return self.claims_with(iat=end - 1_000, nbf=end - 1_000, exp=end)

    def without(self, name: str) -> str:
        return self.claims_with(**{name: ...})

    def unsigned(self, algorithm: str) -> str:
        return f"{b64(json.dumps({**self.header, 'alg': algorithm}))}.{b64(json.dumps(self.claims))}."

    def by_public_key(self) -> str:
        secret = self.key.private.public_key().public_bytes_raw()
        signed = f"{b64(json.dumps({**self.header, 'alg': 'HS256'}))}.{b64(json.dumps(self.claims))}"
        return f"{signed}.{b64(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


def _changed(before: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**before, **changes}.items() if value is not ...}


def _stranger() -> SigningKey:
    return SigningKey(Ed25519PrivateKey.generate(), 0)


def _jwk() -> dict[str, str]:
    public = _stranger().private.public_key().public_bytes_raw()
    return {"kty": "OKP", "crv": "Ed25519", "x": base64.urlsafe_b64encode(public).rstrip(b"=").decode()}


ATTACKS: dict[str, tuple[Callable[[Forger], str], str]] = {
    "alg none": (lambda one: one.unsigned("none"), "token_wrong_algorithm"),
    "alg None": (lambda one: one.unsigned("None"), "token_wrong_algorithm"),
    "alg nOnE": (lambda one: one.unsigned("nOnE"), "token_wrong_algorithm"),
    "no signature": (lambda one: one.true().rpartition(".")[0] + ".", "token_bad_signature"),
    "no third part": (lambda one: one.true().rpartition(".")[0], "token_malformed"),
    "the key of a stranger": (lambda one: forged(one.header, one.claims, _stranger()), "token_bad_signature"),
    "the public key as a secret": (Forger.by_public_key, "token_wrong_algorithm"),
    "kid as a path": (lambda one: one.header_with(kid="../../dev/null"), "token_unknown_key"),
    "kid as SQL": (lambda one: one.header_with(kid="' OR 1=1 --"), "token_unknown_key"),
    "kid with a null byte": (lambda one: one.header_with(kid=one.key.kid + "\0"), "token_unknown_key"),
    "kid as an address": (lambda one: one.header_with(kid=one.canary), "token_unknown_key"),
    "kid of a stranger": (
        lambda one: forged({**one.header, "kid": (k := _stranger()).kid}, one.claims, k),
        "token_unknown_key",
    ),
    "no kid": (lambda one: one.header_with(kid=...), "token_malformed"),
    "jku": (lambda one: one.header_with(jku=f"{one.canary}/keys"), "token_malformed"),
    "x5u": (lambda one: one.header_with(x5u=f"{one.canary}/chain"), "token_malformed"),
    "jwk": (lambda one: one.header_with(jwk=_jwk()), "token_malformed"),
    "crit": (lambda one: one.header_with(crit=["exp"]), "token_malformed"),
    "zip": (lambda one: one.header_with(zip="DEF"), "token_malformed"),
    "JWE": (
        lambda one: ".".join([b64(json.dumps({"alg": "dir", "enc": "A256GCM"})), "", "x", "x", "x"]),
        "token_malformed",
    ),
    "typ JWT": (lambda one: one.header_with(typ="JWT"), "token_wrong_type"),
    "no typ": (lambda one: one.header_with(typ=...), "token_wrong_type"),
    "expired a second ago": (lambda one: one.expired(1), "token_expired"),
    "expired long ago": (lambda one: one.expired(100_000), "token_expired"),
    "not valid for two minutes": (lambda one: one.claims_with(nbf=int(time.time()) + 120), "token_not_yet_valid"),
    "issued in the future": (lambda one: one.claims_with(iat=int(time.time()) + 120), "token_not_yet_valid"),
    **{
        f"no {name}": (methodcaller("without", name), "token_claims_invalid")
        for name in ("exp", "jti", "aud", "iss", "sub", "iat", "nbf")
    },
    "aud of another door": (lambda one: one.claims_with(aud="atlas-api"), "token_wrong_audience"),
    "iss of another network": (lambda one: one.claims_with(iss="atlas:net_other"), "token_wrong_issuer"),
    "padding": (lambda one: one.true() + "=", "token_malformed"),
    "a line break within": (lambda one: one.true()[:20] + "\t" + one.true()[20:], "token_malformed"),
    "other last bits of the signature": (lambda one: _other_bits(one.true()), "token_malformed"),
    "longer than any": (lambda one: "a" * 5_000 + ".b.c", "token_too_long"),
}
"""How a token is made, and what it is refused as where agents come in. At the API none of them is a key."""


def _other_bits(token: str) -> str:
    """Return a token whose last character has other bits where none count."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]


@contextmanager
def canary() -> Iterator[tuple[str, list[object]]]:
    """Listen at an address that tokens name; give it, and who came."""
    came: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/{MARK}", came
        with suppress(BlockingIOError):
            came.append(listening.accept())


async def asked(url: str, head: str, *fields: str) -> tuple[int, str]:
    """Send the head of a request; return status and code of its answer."""
    parts = urlsplit(url)
    async with asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        lines = [head, f"Host: {parts.netloc}", *fields, "", ""]
        writer.write("\r\n".join(lines).encode("latin-1"))
        answered = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in answered.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
        )
        body = await reader.readexactly(length)
        writer.transport.abort()
    status = int(answered.split(b" ", 2)[1])
    return status, json.loads(body)["error"]["code"] if status >= 400 else ""


UPGRADE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    "Sec-WebSocket-Protocol: atlas.v1",
)


async def at_router(up: Network, *fields: str, target: str = "/ws") -> tuple[int, str]:
    return await asked(up.addresses.router_url, f"GET {target} HTTP/1.1", *UPGRADE, *fields)


async def at_api(up: Network, *fields: str, target: str = "/api/v1/whoami") -> tuple[int, str]:
    return await asked(up.addresses.api_url, f"GET {target} HTTP/1.1", *fields)


@asynccontextmanager
async def attacked(folder: Path, canary_url: str) -> AsyncIterator[tuple[Network, Forger, LogCapture]]:
    """Have a network with an agent, and who forges tokens for it; at the end no log has held one."""
    said = LogCapture()
    log = debug_log(said)
    settings = Settings(data_dir=folder, http_port=0, router_port=0, drain=0.0)
    async with network(settings, log) as up:
        key = await machine.bootstrap(up.engine, "ada")
        who = await up.engine.access.authenticate(key)
        application = Application(up.engine)
        await agents.create(who, application, MARK)
        issued = await tokens.issue(who, application, MARK)
        claims = json.loads(base64.urlsafe_b64decode(issued.token.split(".")[1] + "=="))
        ring = load_or_create_ring(folder / KEYS, time.time())
        forger = Forger(ring.active, claims, canary_url)
        yield up, forger, said
    logged = json.dumps(said.entries, default=str)
    for secret in (key or "", issued.token, forger.true().rpartition(".")[2], b64(json.dumps(claims))[:60]):
        assert secret
        assert secret not in logged


async def test_no_forged_token_is_taken_at_any_door(tmp_path: Path) -> None:
    with canary() as (url, came):
        async with attacked(tmp_path, url) as (up, forger, _):
            assert await at_router(up, f"Authorization: Bearer {forger.true()}") == (101, "")
            wrong = {}
            for name, (make, code) in ATTACKS.items():
                token = make(forger)
                at_doors = (
                    await at_router(up, f"Authorization: Bearer {token}"),
                    await at_api(up, f"Authorization: Bearer {token}"),
                )
                if at_doors[0] != (401, code) or at_doors[1][0] != 401:
                    wrong[name] = at_doors
            assert wrong == {}
            assert (await at_api(up, f"Authorization: Bearer {forger.true()}"))[0] == 401, "an agent is no person"
    assert came == [], "nothing that a token names is ever asked"


ODD = {
    "two headers": (["Authorization: Bearer {true}", "Authorization: Bearer {true}"], 401),
    "the word twice": (["Authorization: Bearer Bearer {true}"], 401),
    "no word": (["Authorization: {true}"], 401),
    "another scheme": (["Authorization: Basic {true}"], 401),
    "a cookie": (["Cookie: token={true}"], 401),
    "two in one": (["Authorization: Bearer {true}, Bearer {true}"], 401),
    "a megabyte": (["Authorization: Bearer " + "a" * 1_000_000], 431),
    "small letters": (["authorization: bearer {true}"], 101),
}


@pytest.mark.parametrize(("fields", "status"), ODD.values(), ids=ODD)
async def test_a_token_counts_in_one_header_once(tmp_path: Path, fields: list[str], status: int) -> None:
    with canary() as (url, _):
        async with attacked(tmp_path, url) as (up, forger, _):
            shown = [field.replace("{true}", forger.true()) for field in fields]
            assert (await at_router(up, *shown))[0] == status


async def test_a_token_in_an_address_is_neither_taken_nor_logged(tmp_path: Path) -> None:
    with canary() as (url, _):
        async with attacked(tmp_path, url) as (up, forger, _):
            for name in ("token", "access_token", "jwt"):
                target = f"?{name}={forger.true()}"
                assert (await at_router(up, target=f"/ws{target}"))[0] == 401
                assert (await at_api(up, target=f"/api/v1/whoami{target}"))[0] in (400, 401)
