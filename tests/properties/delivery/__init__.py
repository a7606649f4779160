"""Delivery as a machine: the real router, backend, store and SDK in one process, and what can happen to them.

`loop` is time, `disk` the store and its commits, `server` what a kill takes away, `line` a connection that loses and
delays, `process` an agent's process with its own book of what it started, `truth` what must hold at any moment.
`machine` has the rules, one for each thing that can happen, and the end at which every task has to have come to one.
"""
