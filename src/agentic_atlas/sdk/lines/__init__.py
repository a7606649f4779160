"""Lines of an agent's log: where they come from, whose they are, what of them is kept until the router has it.

Lines are numbered and bounded in `ring`; `outlet` is what an agent has of it, `capture` and `printed` take in what a
program logs and prints, and `origin` knows which task says it. A line whose origin is not certain has no task.
"""
