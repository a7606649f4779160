"""What callers say to a network and are shown of it: the same types in the HTTP API, the clients, the command line and
the test kit.

`tasks`, `agents`, `people` and `backups` hold a noun each: first what may be asked, within its bounds, then what is
shown. A field that is not known is an error in what is asked, so that a typing mistake is not ignored, and passed over
in what is shown, so that a newer server may add some. What is shown has all its fields; one that is added later has a
default, for an older server does not send it.

Times are aware `datetime`s in UTC, durations are seconds.
"""
