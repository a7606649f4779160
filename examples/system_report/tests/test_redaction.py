"""No secret comes out of a command line, and what is none mostly stays."""

from __future__ import annotations

import base64
import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machine.redaction import redacted

SECRET = "Sesame!9"  # noqa: S105 - short and word-like: only its place tells that it is one

CARRIERS = [
    ["app", "--password={}"],
    ["app", "--password", "{}"],
    ["app", "-password", "{}"],
    ["app", "--db-password:{}"],
    ["app", "--API_KEY={} and more"],
    ["app", "--apikey", "{}", "--port", "80"],
    ["app", "--token={}", "--verbose"],
    ["app", "--auth-token", "{}"],
    ["app", "--client-secret", "{}"],
    ["app", "--password", "--token", "{}"],
    ["env", "AWS_SECRET_ACCESS_KEY={}", "app"],
    ["env", "PGPASSWORD={}", "psql"],
    ["java", "-Djavax.net.ssl.keyStorePassword={}", "-jar", "app.jar"],
    ["mysql", "-uroot", "-p{}"],
    ["/usr/bin/mysqldump", "-p{}", "db"],
    ["sshpass", "-p", "{}", "ssh", "host"],
    ["redis-cli", "-a", "{}"],
    ["curl", "-u", "ann:{}", "https://example.org"],
    ["curl", "-uann:{}", "https://example.org"],
    ["curl", "-H", "Authorization: Bearer {}"],
    ["curl", "-H", "Authorization: Basic {}"],
    ["curl", "-H", "X-Api-Key: {}"],
    ["curl", "-b", "Cookie: id={}; other={}"],
    ["curl", "https://example.org/?user=1&access_token={}&x=2"],
    ["psql", "postgres://ann:{}@db.example.org:5432/shop"],
    ["psql", "postgres://ann:pass/{}@db.example.org/shop"],
    ["app", "redis://:{}@cache:6379"],
    ["sh", "-c", "app --password '{}' --verbose"],
    ["sh", "-c", 'export TOKEN="{}"; app'],
    ["bash", "-c", "mysql --password={} < dump.sql"],
    ["app", '{{"user": "ann", "password": "{}"}}'],
    ["app", "/password:{}"],
    ["sqlcmd", "-S", "host", "-P", "{}"],
    ["openssl", "rsa", "-passin", "pass:{}"],
]


@pytest.mark.parametrize("carrier", CARRIERS, ids=" ".join)
def test_a_secret_is_known_by_its_place(carrier: list[str]) -> None:
    line = redacted([argument.format(SECRET, SECRET) for argument in carrier], 1_000)
    assert SECRET not in line
    assert "[hidden]" in line
    assert line.startswith(carrier[0])


@given(st.sampled_from(CARRIERS), st.text(string.ascii_letters + string.digits + "!#%+-_.", min_size=6, max_size=60))
def test_whatever_the_secret_is_it_does_not_come_out(carrier: list[str], text: str) -> None:
    secret = f"Q{text}Z"  # so that it is no part of the rest by chance
    assert secret not in redacted([argument.format(secret, secret) for argument in carrier], 10_000)


@given(st.binary(min_size=16, max_size=64).filter(lambda raw: len(set(raw)) > 10))
def test_random_bytes_are_known_by_their_form(raw: bytes) -> None:
    assert raw.hex() not in redacted(["app", raw.hex()], 10_000)


@pytest.mark.parametrize(
    "secret",
    [
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_abcdefghijklmnopqrstuvwxyzABCDEFGHIJ",
        "sk-proj-abcdefghijklmnopqrst",
        "xoxb-not-a-real-token-at-all",
        "0f8fad5b-d9cb-469f-a165-70867728950e",
        "4111111111111111",
        base64.urlsafe_b64encode(bytes(range(7, 250, 5))).decode(),
    ],
)
@pytest.mark.parametrize("carrier", ["{}", "x={}", "--value={}", "a,{},b", "https://example.org/{}"])
def test_a_key_is_known_by_its_form(secret: str, carrier: str) -> None:
    assert secret not in redacted(["app", carrier.format(secret)], 1_000)


@pytest.mark.parametrize(
    "line",
    [
        "/usr/bin/python3.11 -m http.server 8080 --bind 127.0.0.1",
        "/usr/lib/jvm/java-17-openjdk-amd64/bin/java -cp /opt/app/app-1.2.3.jar org.example.VeryLongApplicationName",
        "/Users/Ann/Documents/MyProjects2/Foo/Bar/run.sh --fast",
        "/usr/lib/systemd/systemd --switched-root --system --deserialize=31",
        "nginx: worker process",
        "git log --author=Ann --since=2024-01-01",
        "pytest tests/unit/store/test_sqlite.py -k writes_are_grouped_by_the_writer",
        "postgres: ann shop 10.0.0.7(53422) idle in transaction",
        "node /srv/app/node_modules/.bin/next start --port 3000",
    ],
)
def test_an_ordinary_command_line_stays_as_it_is(line: str) -> None:
    assert redacted(line.split(" "), 1_000) == line


def test_it_is_one_line_of_bounded_length() -> None:
    assert redacted(["a\nb\tc", "\x1b[31m", "d  e"], 100) == "a b c [31m d e"
    assert redacted([], 10) == ""
    long = redacted(["word"] * 100_000, 20)
    assert (len(long), long) == (20, "word word word word…")


@pytest.mark.parametrize(
    "text",
    [
        "pass" * 2_000,
        "a" * 10_000,
        "-" * 10_000,
        "=" * 10_000,
        "a.-" * 3_000,
        "eyJ" * 3_000,
        "a://" * 3_000,
        '"' * 10_000,
    ],
)
def test_no_text_takes_long(text: str) -> None:
    began = time.perf_counter()
    redacted([text, text], 200)
    assert time.perf_counter() - began < 2
