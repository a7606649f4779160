"""Whatever is asked of the API, within its document or not: no fault of the server's, and no answer that is not in it.

Each operation is asked what Schemathesis makes of the document, by an administrator, a member and somebody without a
key, about things that are there and about things that are not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from agentic_atlas import Client
from agentic_atlas.api.app import ROUTES
from agentic_atlas.api.describe import Document
from tests.e2e.processes import PATIENCE, Platform
from tests.e2e.programs import ECHO

SEED = 20_261_130
EXAMPLES, MANY = 5, 200
"""Requests of one identity to one operation, in `make test` and with --soak."""
MODES = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
"""What the document takes, and what it does not."""
Operation = APIOperation[Any, Any, Any, Any]
IDENTITIES = ("administrator", "member", "nobody")
CHECKS = [content_type_conformance, response_schema_conformance]
LONGEST_WAIT = 0.05
"""Seconds that a request may ask to wait for."""
OPERATIONS = [found.ok() for found in schemathesis.openapi.from_dict(Document(ROUTES).value).get_all_operations()]


@dataclass
class Network:
    """A network, the keys of those who ask, and what there is to be asked about, by the names of parameters."""

    url: str
    keys: dict[str, str] = field(default_factory=dict)
    there: dict[str, list[str]] = field(default_factory=dict)

    def ask(self, http: httpx.Client, case: Case, identity: str) -> httpx.Response | None:
        """Ask; None when that cannot be said in HTTP. Of an answer without an end only the head is read."""
        sent = case.as_transport_kwargs(base_url=self.url)
        headers = {name: value for name, value in sent["headers"].items() if name.lower() != "authorization"}
        if identity in self.keys:
            headers["Authorization"] = f"Bearer {self.keys[identity]}"
        query = dict(sent.get("params") or {})
        if "wait" in query:
            query["wait"] = LONGEST_WAIT
        body = {"json": sent["json"]} if "json" in sent else {"content": sent.get("data")}
        try:
            request = http.build_request(sent["method"], sent["url"], params=query, headers=headers, **body)
            answer = http.send(request, stream=True)
        except (httpx.LocalProtocolError, httpx.InvalidURL, UnicodeError, ValueError):
            return None
        try:
            if not answer.headers.get("content-type", "").startswith("text/event-stream"):
                answer.read()
        finally:
            answer.close()
        return answer

    def about_what_is_there(self, case: Case, number: int) -> None:
        """Let a request be about something that is there."""
        for part in (case.path_parameters, case.body):
            if isinstance(part, dict):
                for name in part.keys() & self.there.keys():
                    part[name] = self.there[name][number % len(self.there[name])]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    platform = Platform(tmp_path_factory.mktemp("answers") / "network", log_level="debug")
    try:
        platform.start()
        with Client(platform.url, api_key=platform.api_key) as atlas:
            atlas.people.create("mia")
            member = atlas.keys.create("tests", user="mia").key
            made = Network(platform.url, {"administrator": platform.api_key, "member": member})
            with platform.agent("echo", ECHO) as agent:
                agent.wait_for("ready as")
                for name in ("eve", "bob", "zoe"):
                    atlas.people.create(name)
                    made.there.setdefault("user", []).append(name)
                made.there["task_id"] = [atlas.submit("echo", "say", text="hi").id for _ in range(3)]
                made.there["token_id"] = [atlas.tokens.create("echo").id for _ in range(3)]
                made.there["key_id"] = [atlas.keys.create(f"key {n}").id for n in range(3)]
                made.there |= {"name": ["echo", "eve", "bob"], "owner": ["admin"], "agent": ["echo"], "skill": ["say"]}
                yield made
        assert platform.stop() == 0
        assert platform.process is not None
        assert "request_failed" not in platform.process.output
        assert "Traceback" not in platform.process.output
    finally:
        platform.kill()


def refused(operation: Operation, case: Case, answer: httpx.Response) -> str:
    """Return what is wrong with an answer; nothing when it is right."""
    said = f"{operation.label} {case.path_parameters} {case.query}: {answer.status_code}"
    if answer.status_code >= 500 or str(answer.status_code) not in operation.definition.raw["responses"]:
        return f"{said} {answer.text[:300]}"
    if not answer.is_stream_consumed:
        return ""
    try:
        case.validate_response(answer, checks=CHECKS)
    except AssertionError as failure:
        return f"{said} {failure}"
    except BaseExceptionGroup as failures:
        return f"{said} {failures.exceptions}"
    return ""


def asked(
    network: Network, http: httpx.Client, operation: Operation, identity: str, examples: int
) -> Iterator[tuple[int, str]]:
    """Ask so many times; yield the status of each answer and what is wrong with it."""
    told: list[tuple[int, str]] = []

    @seed(SEED)
    @settings(
        max_examples=examples,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.one_of([operation.as_strategy(generation_mode=mode) for mode in MODES]), st.integers(0, 5))
    def ask(case: Case, number: int) -> None:
        if number:
            network.about_what_is_there(case, number)
        answer = network.ask(http, case, identity)
        if answer is not None:
            told.append((answer.status_code, refused(operation, case, answer)))

    ask()
    yield from told


@pytest.mark.parametrize("identity", IDENTITIES)
def test_every_answer_is_in_the_document_and_none_is_a_fault(
    network: Network, identity: str, request: pytest.FixtureRequest
) -> None:
    examples = MANY if request.config.getoption("--soak") else EXAMPLES
    with httpx.Client(trust_env=False, timeout=PATIENCE) as http:
        told = [one for operation in OPERATIONS for one in asked(network, http, operation, identity, examples)]
    print(f"{identity}: {dict(sorted(Counter(status for status, _ in told).items()))}")
    assert [wrong for _, wrong in told if wrong] == []
    assert len(told) > len(OPERATIONS)
