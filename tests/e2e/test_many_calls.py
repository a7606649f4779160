import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from agentic_atlas import Client
from tests.e2e.processes import Platform, connected

COUNTING = """
import asyncio, os
from agentic_atlas import Agent

agent = Agent("NAME", concurrency=4)
running = most = 0

@agent.skill
async def double(number: int) -> dict[str, int]:
    global running, most
    running += 1
    most = max(most, running)
    try:
        await asyncio.sleep(0.01)
        return {"answer": 2 * number, "pid": os.getpid(), "most": most}
    finally:
        running -= 1

if __name__ == "__main__":
    agent.run()
"""


def test_a_hundred_concurrent_calls_to_two_agents_on_three_instances(platform: Platform, client: Client) -> None:
    with (
        platform.agent("alpha", COUNTING.replace("NAME", "alpha")) as first,
        platform.agent("alpha", COUNTING.replace("NAME", "alpha")) as second,
        platform.agent("beta", COUNTING.replace("NAME", "beta")) as third,
    ):
        for agent in (first, second, third):
            agent.wait_for(connected)
        asked = [(name, number) for number in range(100) for name in ("alpha", "beta")]
        with ThreadPoolExecutor(200) as pool:
            answers = list(pool.map(lambda ask: client.call(ask[0], "double", {"number": ask[1]}), asked))
        by_agent = {name: Counter[int]() for name in ("alpha", "beta")}
        for (name, number), answer in zip(asked, answers, strict=True):
            assert answer["answer"] == 2 * number
            assert answer["most"] <= 4
            by_agent[name][answer["pid"]] += 1
        assert set(by_agent["alpha"]) == {first.pid, second.pid}
        assert min(by_agent["alpha"].values()) >= 25
        assert set(by_agent["beta"]) == {third.pid}
        shown = json.loads(platform.atlas("agents", "show", "alpha", "--json"))
        assert shown["instances_online"] == 2
