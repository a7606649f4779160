"""What this process owes the router, from when it is said until it is acknowledged."""
