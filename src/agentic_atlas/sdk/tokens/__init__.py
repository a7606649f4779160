"""The token that an agent connects with: what it says of itself, where it comes from, and where a new one is kept."""
