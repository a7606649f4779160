"""Run by Alembic: the connection comes from `migrate`, which has begun the transaction."""

from alembic import context

from agentic_atlas.backend.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
