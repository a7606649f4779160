"""Commands of click: written as functions (`declared`), with modules that are loaded when they are called (`tree`)."""
