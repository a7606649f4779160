"""The use cases: one function each, for every door."""
