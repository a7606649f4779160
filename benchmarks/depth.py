"""What it costs to see how deeply a message nests, beside reading it, and beside taking brackets out pass by pass.

Each message has 4 MiB. The two ratios are to the same message, in the same run.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import msgspec

from agentic_atlas.protocol.nesting import excess

SIZE = 4 * 1024 * 1024
LIMIT = 64
ROUNDS = 5

WAVE = b"[" * 60 + b"]" * 60
RECORD = {"id": 7, "name": 'a "quoted" word', "path": "C:\\data\\[1]", "tags": ["{x}", "y\n"], "at": {"row": 1.5}}
MESSAGES = {
    "only opening": b"[" * SIZE,
    "deep, and valid": b"[" + b",".join([WAVE] * (SIZE // (len(WAVE) + 1))) + b"]",
    "side by side": b"[" + b",".join([b"[]"] * (SIZE // 3)) + b"]",
    "records": json.dumps([RECORD] * (SIZE // len(json.dumps(RECORD)))).encode(),
}


def main() -> None:
    print(f"{'message':<16} {'ms':>7} {'reading it':>11} {'ratio':>6} {'pass by pass':>13} {'ratio':>6}")
    for name, message in MESSAGES.items():
        looked, read, passes = (best(work, message) for work in (look, decode, pass_by_pass))
        print(f"{name:<16} {looked:7.1f} {read:11.1f} {looked / read:6.2f} {passes:13.1f} {looked / passes:6.3f}")


def best(work: Callable[[bytes], object], message: bytes) -> float:
    """Return the shortest time in milliseconds of the CPU."""
    times = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work(message)
        times.append(time.process_time() - began)
    return min(times) * 1000


def look(message: bytes) -> bool:
    return excess(message, LIMIT, SIZE) is not None


def decode(message: bytes) -> object:
    try:
        return msgspec.json.decode(message)
    except (msgspec.DecodeError, RecursionError):
        return None


def pass_by_pass(message: bytes) -> bool:
    """Take out the innermost pairs of brackets, as often as the limit says: the obvious way without a loop."""
    kept = bytes(set(range(256)) - set(b"[]{}"))
    left = message.replace(b"\\\\", b"").replace(b'\\"', b"").translate(bytes.maketrans(b"{}", b"[]"), kept)
    for _ in range(LIMIT):
        if not left:
            return False
        left = left.replace(b"[]", b"")
    return bool(left)


if __name__ == "__main__":
    main()
