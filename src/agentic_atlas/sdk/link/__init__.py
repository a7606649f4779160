"""An agent's connection to the router: made, kept alive, and watched, on a thread of its own."""
