"""`atlas demo`: the whole story on this machine, with real processes, real tokens and real questions.

`command` tells it, `stage` puts the network and the agents up and takes them down, `workflow` and `trace` turn what
the network has recorded into what is printed.
"""
