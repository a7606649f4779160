"""Calling agents over the HTTP API: the clients, what they are answered with, and how they log in."""
