"""Use cases of the backend, one module a noun: check the right, load, decide, store, tell."""
