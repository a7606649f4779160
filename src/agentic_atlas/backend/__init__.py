"""Users, agents, tokens, tasks and events: the rules, the store and the HTTP API.

`domain` holds frozen records and pure rules, `ports` what they need of the world, `services` the use cases, `store` the
SQL behind the ports, `api` the routes. Imports go downwards only: api -> services | store -> ports -> domain.
"""
