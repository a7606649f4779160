"""The HTTP API: routes, bodies, and the one table from error to status."""
