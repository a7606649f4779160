"""Two hundred agents at work, a hundred of whose tokens are revoked one by one: how soon each is out, and who notices.

A real server; the agents are in this process. The baseline of the same run is a request that changes as much and ends
nobody's connection: the making of a token.

```console
$ python -m benchmarks.revocation
```
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from tests.e2e.processes import Platform
from tests.security.revocations import Crowd, Member, crowd, shown_to

AGENTS, REVOKED, SHOWN_AGAIN, LATER = 200, 100, 1_000, 100
LONGEST = 1.0
"""Seconds in which each is to be out."""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        platform = Platform(Path(folder), beat_every="24").start()
        try:
            print(f"{AGENTS} agents at work, {REVOKED} of them revoked one by one")
            secrets = asyncio.run(revoked(platform))
            platform.stop()
            platform.start()
            asyncio.run(after_a_restart(platform, secrets))
        finally:
            platform.kill()


async def revoked(platform: Platform) -> list[str]:
    """Measure while the server is up that was told; return the tokens that are good for nothing any more."""
    async with crowd(platform.url, platform.router_url, platform.api_key, AGENTS) as all_of:
        out, others = all_of.members[:REVOKED], all_of.members[REVOKED:]
        load = asyncio.ensure_future(all_of.busy(others))
        baseline = await making(all_of, out)
        await all_of.revoke(out)
        load.cancel()
        await asyncio.wait([load])
        if not load.cancelled():
            raise SystemExit(f"one that was not revoked did not answer: {load.exception()}")
        shown("out after", all_of.took, baseline)
        print(f"ended with     {told(all_of.ended)}")
        print(f"the others     {sum(one.connected for one in others)} of {len(others)} connected", end="")
        for one in others:
            await all_of.echoed(one)
        print(f", and all of them answer; {all_of.called} calls meanwhile, none failed")
        began = time.perf_counter()
        answered = await all_of.shown_again(out, SHOWN_AGAIN)
        each = (time.perf_counter() - began) / SHOWN_AGAIN
        print(f"{SHOWN_AGAIN:,} later uses  {told(answered)}, {1e3 * each:.1f} ms each")
        if max(all_of.took) >= LONGEST or answered != {(401, "token_revoked"): SHOWN_AGAIN}:
            raise SystemExit("a revoked token was good for too long")
        return [one.token.token for one in out]


async def after_a_restart(platform: Platform, secrets: Sequence[str]) -> None:
    """Show the tokens to a server that has not been told of them."""
    port = urlsplit(platform.router_url).port or 0
    answered = Counter([await shown_to(port, secrets[number % len(secrets)]) for number in range(LATER)])
    print(f"{LATER} after a restart  {told(answered)}")
    if answered != {(4103, "token_revoked"): LATER}:
        raise SystemExit("a revoked token is good again after a restart")


async def making(all_of: Crowd, members: Sequence[Member]) -> list[float]:
    took = []
    for member in members:
        began = time.perf_counter()
        await all_of.atlas.tokens.create(member.token.agent)
        took.append(time.perf_counter() - began)
    return took


def shown(what: str, took: Sequence[float], baseline: Sequence[float]) -> None:
    median, p99, most = statistics.median(took), statistics.quantiles(took, n=100)[98], max(took)
    print(
        f"{what}      median {1e3 * median:.1f} ms, p99 {1e3 * p99:.1f} ms, longest {1e3 * most:.1f} ms; "
        f"{median / statistics.median(baseline):.2f} times the making of a token"
    )


def told(answers: Counter[tuple[int, str]]) -> str:
    return ", ".join(f"{count:,} x {code} {reason}" for (code, reason), count in answers.items())


if __name__ == "__main__":
    main()
