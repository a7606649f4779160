"""Agents under test: in memory, without a network, a platform or waiting.

```python
from agentic_atlas.testing import running

from agent import agent


def test_greet() -> None:
    with running(agent) as hello:
        assert hello.call("greet", name="Ada") == "Hello, Ada!"
```

Between test and skill is what is there in production: the router, the protocol as bytes, the rules of a task's life,
and the SDK with its checks, limits, retries and timeouts. Only sockets, tokens and the database are not. `running` is
for ordinary tests, `serving` for asynchronous ones; both take several agents, which can then call one another. What a
skill logs goes to standard error, with the traceback of one that fails, so pytest shows it beside a failed test.
"""

from agentic_atlas.testing.blocking import Caller, Task, running
from agentic_atlas.testing.caller import AsyncCaller, AsyncTask, serving

__all__ = ["AsyncCaller", "AsyncTask", "Caller", "Task", "running", "serving"]
