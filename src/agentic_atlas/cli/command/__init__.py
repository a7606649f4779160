"""How commands are declared, found, read and explained, without anything that takes long to import.

`declared` turns the signature of a function into what its command takes, `tree` holds the commands, whose modules are
loaded when they are called, `reading` turns words into arguments, `explained` is the help, `offered` what the shell is
offered while somebody types.
"""
