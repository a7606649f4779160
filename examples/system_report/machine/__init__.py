"""What a machine does and how it is: read once at the edge, then plain values and pure functions."""
