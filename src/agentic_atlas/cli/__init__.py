"""The command line `atlas`: reads what was typed, asks the API through the SDK's client, prints the answer."""
