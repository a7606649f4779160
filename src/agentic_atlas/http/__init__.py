"""What all doors over HTTP share: the front, bodies and their bounds, errors, and who asks."""
