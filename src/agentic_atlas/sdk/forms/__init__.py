"""The JSON forms of values: the same for inputs, outputs, chunks, answers and defaults, at every door."""
