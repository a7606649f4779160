"""The pages, each module those of one section."""
