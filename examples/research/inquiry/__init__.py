"""From a question to a report: what to ask of whom, asking it, and putting the answers together."""
