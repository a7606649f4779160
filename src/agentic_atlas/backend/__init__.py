"""Users, agents, tokens, tasks and events: the rules, the state of the process, and the store.

`domain` holds frozen records and pure rules, `ports` what they need of the world, `engine` the state of this process,
`usecases` what every door may ask for, `store` the SQL behind the ports. Imports go downwards only:
usecases -> engine | store -> ports -> domain.
"""
