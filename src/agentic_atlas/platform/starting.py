"""What somebody copies to start an agent with a token: the `.env`, and commands for a shell and a container. Pure."""

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

_PLAIN: Final = re.compile(r"[A-Za-z0-9_./:@%+=,~-]*")


def env_file(token: str, router_url: str, api_url: str) -> str:
    """Return the `.env` of an agent."""
    values = {"AGENT_JWT_TOKEN": token, "ROUTER_WS_URL": router_url, "BACKEND_API_BASE_URL": api_url}
    return "\n".join(f"{name}={value}" for name, value in values.items() if value and _PLAIN.fullmatch(value))


def shell() -> str:
    """Return how to start it beside its `.env` and the wheel."""
    return "pip install ./agentic_atlas-*.whl\natlas run agent.py"


def container(router_url: str) -> str:
    """Return how to start it in a container, from the folder with its `.env` and the wheel."""
    # A container has a loopback of its own: a network on this machine is not to be found there.
    network = "--network host " if on_loopback(router_url) else ""
    return (
        f'docker run --rm {network}--env-file .env -v "$PWD:/agent" -w /agent python:3.12-slim \\\n'
        '  sh -c "pip install ./agentic_atlas-*.whl && exec python agent.py"'
    )


def on_loopback(url: str) -> bool:
    """Tell whether an address is one that each machine has for itself."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def code(name: str) -> str:
    """Return the smallest agent of this name."""
    return f"""from agentic_atlas import Agent

agent = Agent("{name}")


@agent.skill
async def greet(name: str) -> str:
    \"\"\"Greet someone by name.\"\"\"
    return f"Hello, {{name}}!"


agent.run()"""
