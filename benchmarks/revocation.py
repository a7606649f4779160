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
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from tests.e2e.processes import Platform
from tests.security.revocations import (
    AGENTS,
    REVOKED,
    SHOWN_AGAIN,
    Crowd,
    Member,
    crowd,
    good_for_nothing,
    half_of_them_out,
)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        platform = Platform(Path(folder), beat_every="24").start()
        try:
            print(f"{AGENTS} agents at work, {REVOKED} of them revoked one by one")
            out = asyncio.run(revoked(platform))
            platform.stop()
            platform.start()
            asyncio.run(good_for_nothing(urlsplit(platform.router_url).port or 0, out))
            print("after a restart  they are refused as before")
        finally:
            platform.kill()


async def revoked(platform: Platform) -> Sequence[Member]:
    """Measure while the server is up that was told; return those whose tokens are good for nothing any more."""
    async with crowd(platform.url, platform.router_url, platform.api_key, AGENTS) as all_of:
        async with all_of.at_work(all_of.members[REVOKED:]):
            baseline = await making(all_of, all_of.members[:REVOKED])
        out = await half_of_them_out(all_of)
        shown("out after", all_of.took, baseline)
        print(f"the others     are connected and answer; {all_of.called} calls meanwhile, none failed")
        began = time.perf_counter()
        await all_of.shown_again(out, SHOWN_AGAIN)
        print(f"a later use    refused after {1e3 * (time.perf_counter() - began) / SHOWN_AGAIN:.1f} ms")
        return out


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


if __name__ == "__main__":
    main()
