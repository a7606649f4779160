"""Results on the agent's disk, which outlive the process that made them."""
