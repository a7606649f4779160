"""State of this process: what is open, what waits and for whom, who watches, and what follows each change."""
