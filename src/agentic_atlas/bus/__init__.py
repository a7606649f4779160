"""Carries wake-ups between parts: in one process, or between machines. It may lose messages; nothing depends on it
being complete."""
