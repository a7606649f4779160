"""What is read as a request, however its bytes are cut into pieces."""

from __future__ import annotations

import pytest

from agentic_atlas.errors import InvalidInput
from agentic_atlas.http.messages import Request, RequestBody
from agentic_atlas.http.parser import MAX_HEAD, RequestParser


class Body(RequestBody):
    """Keeps what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.all = b""
        self.whole = 0

    def feed(self, piece: bytes) -> None:
        self.all += piece

    def end(self) -> None:
        self.whole += 1


class Heard:
    """Keeps what was read."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.marks: list[tuple[bool, bool]] = []
        self._bodies: list[Body] = []

    def begins(self, request: Request) -> None:
        self._bodies.append(Body())
        request.received("", self._bodies[-1], None)
        self.requests.append(request)
        self.marks.append((request.last, request.expects))

    @property
    def bodies(self) -> list[bytes]:
        return [body.all for body in self._bodies]

    @property
    def whole(self) -> int:
        return sum(body.whole for body in self._bodies)


def read(*pieces: bytes) -> Heard:
    heard = Heard()
    parser = RequestParser(heard.begins)
    for piece in pieces:
        parser.feed(piece)
    return heard


POST = b"POST /a%20b?x=1#there HTTP/1.1\r\nHost: a\r\nA: 1\r\na: 2\r\nContent-Length: 3\r\n\r\nabc"
UPGRADE = b"Connection: upgrade\r\nUpgrade: websocket\r\n"


@pytest.mark.parametrize("pieces", [[POST], [POST[i : i + 1] for i in range(len(POST))]])
def test_a_request_is_read_whatever_pieces_it_comes_in(pieces: list[bytes]) -> None:
    heard = read(*pieces)
    (request,) = heard.requests
    assert (request.method, request.path, request.query, request.version) == ("POST", "/a%20b", "x=1", "1.1")
    assert request.all("a") == ["1", "2"]
    assert (request.first("content-length"), request.first("b")) == ("3", None)
    assert (heard.bodies, heard.whole, heard.marks) == ([b"abc"], 1, [(False, False)])


def test_requests_follow_one_another_and_one_that_asks_for_another_protocol_is_like_any() -> None:
    asking = POST.replace(b"Host: a\r\n", b"Host: a\r\n" + UPGRADE)
    chunked = asking.replace(
        b"Content-Length: 3\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    )
    heard = read(asking + chunked + POST)
    assert heard.bodies == [b"abc"] * 3
    assert heard.whole == 3


@pytest.mark.parametrize(
    ("target", "authority", "path", "query"),
    [
        ("/", None, "/", ""),
        ("//a/b?c?d", None, "//a/b", "c?d"),
        ("http://a:1", "a:1", "/", ""),
        ("HTTPS://a?x", "a", "/", "x"),
        ("http://a/b?x#y", "a", "/b", "x"),
    ],
)
def test_a_target_is_a_path_or_an_address(target: str, authority: str | None, path: str, query: str) -> None:
    (request,) = read(f"GET {target} HTTP/1.1\r\nHost: b\r\n\r\n".encode()).requests
    assert (request.authority, request.path, request.query) == (authority, path, query)
    assert request.host == (authority or "b")


def test_what_ends_its_connection_and_what_waits_to_be_asked_for_its_body_says_so() -> None:
    close = POST.replace(b"A: 1", b"Connection: close")
    expects = POST.replace(b"A: 1", b"Expect: 100-Continue")
    old = POST.replace(b"HTTP/1.1", b"HTTP/1.0")
    both = expects.replace(b"HTTP/1.1", b"HTTP/1.0")
    marks = [read(sent).marks for sent in (close, expects, old, both)]
    assert marks == [[(True, False)], [(False, True)], [(True, False)], [(True, False)]]


CHUNKED = POST.replace(b"Content-Length: 3\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n")


def test_fields_behind_a_body_are_none_of_its_head() -> None:
    heard = read(CHUNKED + b"3\r\nabc\r\n0\r\nHost: b\r\nAuthorization: Bearer b\r\n\r\n")
    (request,) = heard.requests
    assert heard.whole == 1
    assert (request.all("host"), request.first("authorization")) == (["a"], None)


def test_the_beginning_of_a_head_is_seen_behind_a_whole_request() -> None:
    parser = RequestParser(Heard().begins)
    parser.feed(POST)
    assert (parser.in_head, parser.unfinished) == (True, 0)
    parser.feed(POST + POST[:20])
    assert (parser.in_head, parser.unfinished > 0) == (True, True)
    parser.feed(POST[20:])
    assert (parser.in_head, parser.unfinished) == (True, 0)


def test_options_may_be_for_the_server_as_a_whole() -> None:
    (request,) = read(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").requests
    assert (request.method, request.path) == ("OPTIONS", "*")


@pytest.mark.parametrize(
    ("pieces", "code"),
    [
        ([b"nothing\r\n\r\n"], "malformed_request"),
        ([b"GET * HTTP/1.1\r\n\r\n"], "malformed_request"),
        ([b"CONNECT a:1 HTTP/1.1\r\n\r\n"], "malformed_request"),
        ([CHUNKED + b"1\r\na\r\n" * 5_000], "malformed_request"),
        ([CHUNKED.replace(b": chunked", b": gzip, chunked")], "transfer_encoding"),
        ([CHUNKED.replace(b": chunked", b": chunked\r\nTransfer-Encoding: chunked")], "malformed_request"),
        ([b"GET /", b"a" * MAX_HEAD], "head_too_long"),
        ([b"GET / HTTP/1.1\r\nA: " + b"a" * MAX_HEAD + b"\r\n\r\n"], "head_too_long"),
        ([b"GET / HTTP/1.1\r\n"] + [b"A: b\r\n"] * (MAX_HEAD // 6), "head_too_long"),
        ([b"GET / HTTP/1.1\r\nA: ", *[b"a" * 1_000] * 66], "head_too_long"),
    ],
)
def test_what_is_no_request_or_too_long_for_one_is_refused(pieces: list[bytes], code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(*pieces)
    assert refused.value.code == code
