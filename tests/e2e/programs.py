"""Agents that tests run as programs of their own."""

ECHO = """
from agentic_atlas import Agent

agent = Agent("echo")

@agent.skill
async def say(text: str) -> str:
    return text

if __name__ == "__main__":
    agent.run()
"""
