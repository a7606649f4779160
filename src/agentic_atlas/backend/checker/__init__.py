"""Checks of values against schemas, in a process of their own that ends when one takes too long."""
