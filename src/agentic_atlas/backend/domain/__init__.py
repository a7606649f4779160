"""Frozen records and the pure rules that change them. No clock, id source, log, driver or await."""
