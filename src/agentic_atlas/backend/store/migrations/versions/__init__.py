"""The steps of the schema, one module each. One that was released is never changed: the next one corrects it."""
