"""Where the program is put together: the only place that names concrete classes.

`network` builds and runs router, backend and API in one process, `backend` builds the second of these, `http` serves
the API, `sources` are the clock, the ids and the randomness of the real world. `backup` and `restore` work on a data
folder that no process owns.
"""
