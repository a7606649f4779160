"""What carries messages between agent and router: sockets, frames, heads of requests, and their limits."""
