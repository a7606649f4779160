"""Running skills: what is delivered to this process, each attempt, and how it ends."""
