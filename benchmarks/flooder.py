"""Sends what nobody should, from a process of its own, so that who looks on is not slowed down by it on the way.

```console
$ python -m benchmarks.flooder KIND HOST:PORT SECONDS < SECRET
```

The secret is read from stdin, for all users of a machine see what a process was called with.
"""

from __future__ import annotations

import select
import selectors
import socket
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from http.client import HTTPConnection
from typing import cast

from agentic_atlas.protocol import codec
from agentic_atlas.protocol.codec import CONTAINERS
from agentic_atlas.protocol.messages import Hello, InstanceInfo
from tests.integration.router.doors import PING, SUBPROTOCOL, TEXT, frame, request

HELLO = frame(TEXT, codec.encode(Hello(1, InstanceInfo("inst_flood"), [])))
WAVE = b"[" * 60 + b"]" * 60
DEEP = b"[" + b",".join([WAVE] * (CONTAINERS // 60 - 1)) + b",0" * 1_400_000 + b"]"
"""4 MB that nest as deeply as they may, with as many arrays as there may be."""
BEAT = frame(TEXT, b'{"type":"beat","n":1,"z":%b}' % DEEP)
PINGS = frame(PING) * 50_000
UNFINISHED = frame(TEXT, b" " * (4 * 1024 * 1024 - 100))[: 3 * 1024 * 1024]
PATIENCE = 2.0
AT_ONCE = 4
WATCHERS = 300

Address = tuple[str, int]


def upgraded(address: Address, token: str) -> socket.socket | None:
    """Go through a handshake; None when it is refused."""
    peer = socket.create_connection(address, PATIENCE)
    peer.settimeout(PATIENCE)
    lines = (f"Sec-WebSocket-Protocol: {SUBPROTOCOL}", f"Authorization: Bearer {token}")
    peer.sendall(request("", "/ws", *lines))
    if b" 101 " in peer.recv(4096):
        return peer
    peer.close()
    return None


def deep_beats(address: Address, token: str, ends: float) -> None:
    """Beat with messages of 4 MiB, each as deep as it may be."""
    while time.monotonic() < ends:
        with suppress(OSError):
            peer = upgraded(address, token)
            if peer is None:
                time.sleep(0.1)
                continue
            with peer:
                peer.sendall(HELLO)
                peer.recv(4096)
                while time.monotonic() < ends:
                    peer.sendall(BEAT)
                    peer.recv(4096)


def first_messages(address: Address, token: str, ends: float) -> None:
    """Say something long and deep before `hello`."""
    while time.monotonic() < ends:
        with suppress(OSError):
            peer = upgraded(address, token)
            if peer is not None:
                with peer:
                    peer.sendall(BEAT)
        time.sleep(0.02)


def silent(address: Address, token: str, ends: float) -> None:
    """Open connections, and leave each with most of a long frame that is never finished."""
    left: list[socket.socket] = []
    while time.monotonic() < ends:
        with suppress(OSError):
            peer = upgraded(address, token)
            if peer is not None:
                left.append(peer)
                peer.sendall(UNFINISHED)
        if len(left) > 100:
            left.pop(0).close()
    for peer in left:
        peer.close()


def pings(address: Address, token: str, ends: float) -> None:
    """Flood with pings, and go on after the close."""
    while time.monotonic() < ends:
        with suppress(OSError):
            peer = upgraded(address, token)
            if peer is not None:
                with peer:
                    peer.sendall(HELLO)
                    for _ in range(10):
                        peer.sendall(PINGS)
        time.sleep(0.02)


def deep_bodies(address: Address, key: str, ends: float) -> None:
    """Submit inputs of 3.9 MB, each as deep as it may be."""
    body = b'{"agent":"echo","skill":"say","input":{"text":%b}}' % (b"[" + DEEP[1:3_900_000].rpartition(b",")[0] + b"]")
    head = f"POST /api/v1/tasks HTTP/1.1\r\nHost: {address[0]}\r\nAuthorization: Bearer {key}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    while time.monotonic() < ends:
        with suppress(OSError), socket.create_connection(address, 30.0) as peer:
            while time.monotonic() < ends:
                peer.sendall(head.encode() + body)
                if not peer.recv(65_536):
                    break


def lists(address: Address, key: str, ends: float) -> None:
    """Ask for the longest list there is, again and again."""
    with closing(HTTPConnection(*address, timeout=30.0)) as asking:
        while time.monotonic() < ends:
            asking.request("GET", "/api/v1/tasks?limit=500", headers={"Authorization": f"Bearer {key}"})
            answer = asking.getresponse()
            assert answer.status == 200
            assert len(answer.read()) < 1_000_000


def watch(address: Address, secret: str, ends: float) -> None:
    """Watch one task with many connections; `secret` is a key and the task's id."""
    key, _, task = secret.partition("|")
    head = f"GET /api/v1/tasks/{task}/events HTTP/1.1\r\nHost: {address[0]}\r\nAuthorization: Bearer {key}\r\n\r\n"
    with selectors.DefaultSelector() as watching:
        for _ in range(WATCHERS):
            peer = socket.create_connection(address, 30.0)
            peer.sendall(head.encode())
            watching.register(peer, selectors.EVENT_READ)
        while time.monotonic() < ends:
            for found, _ in watching.select(0.5):
                peer = cast(socket.socket, found.fileobj)
                if not peer.recv(65_536):
                    watching.unregister(peer)
                    peer.close()
        for found in list(watching.get_map().values()):
            cast(socket.socket, found.fileobj).close()


def requests(address: Address, _: str, ends: float) -> None:
    """Ask for what is not there, without a key, faster than it is answered, and read the answers."""
    head = f"GET /nothing HTTP/1.1\r\nHost: {address[0]}\r\n\r\n"
    _both_ways(address, b"", head.encode() * 4_000, ends)


def small_chunks(address: Address, _: str, ends: float) -> None:
    """Submit a task without a key, its body a byte at a time."""
    head = f"POST /api/v1/tasks HTTP/1.1\r\nHost: {address[0]}\r\nTransfer-Encoding: chunked\r\n\r\n"
    _both_ways(address, head.encode(), b"1\r\nx\r\n" * 40_000, ends)


def _both_ways(address: Address, first: bytes, again: bytes, ends: float) -> None:
    while time.monotonic() < ends:
        with suppress(OSError), socket.create_connection(address, PATIENCE) as peer:
            peer.sendall(first)
            peer.setblocking(False)
            left = memoryview(again)
            while time.monotonic() < ends:
                readable, writable, _ = select.select([peer], [peer], [], PATIENCE)
                if readable and not peer.recv(1_048_576):
                    break
                if writable:
                    left = left[peer.send(left) :] or memoryview(again)


KINDS: dict[str, Callable[[Address, str, float], None]] = {
    "deep_beats": deep_beats,
    "first_messages": first_messages,
    "silent": silent,
    "pings": pings,
    "deep_bodies": deep_bodies,
    "lists": lists,
    "watch": watch,
    "requests": requests,
    "small_chunks": small_chunks,
}


def main(kind: str, where: str, seconds: str) -> None:
    secret = sys.stdin.readline().strip()
    host, _, port = where.rpartition(":")
    ends = time.monotonic() + float(seconds)
    count = AT_ONCE if kind in ("pings", "first_messages", "lists") else 1
    with ThreadPoolExecutor(count) as threads:
        for _ in range(count):
            threads.submit(KINDS[kind], (host, int(port)), secret, ends)


if __name__ == "__main__":
    main(*sys.argv[1:])
