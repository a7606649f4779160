"""What the network and its agents tell of themselves: every line of their logs is declared here, with its meaning.

Parts log by name (`log.warning("attempt_lost", task=…)`), and are watched at their ports; neither is decided here.
"""
