"""What a skill is: a function, its schemas, and what it is given to work with."""
