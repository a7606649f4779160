"""A self-hosted network for local agents."""
