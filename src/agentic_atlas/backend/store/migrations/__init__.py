"""Which schema the queries expect; data of an older one is brought to it by `upgrade`."""

from pkgutil import iter_modules

from sqlalchemy import Connection, Engine, inspect, text

from agentic_atlas.backend.store.migrations import versions

REVISIONS = tuple(sorted(name[1:5] for _, name, _ in iter_modules(versions.__path__)))
"""Those of the `versions`, in their order; the last one is that of `store.tables`."""


def migrate(engine: Engine) -> None:
    """Bring a database, also an empty one, to the schema this program knows.

    Raises ConfigurationError when a newer program made the schema.
    """
    with engine.connect() as connection:
        if revision_of(connection) == REVISIONS[-1]:
            return
    # Alembic takes as long to load as all else that a start has to do, and is needed once a release.
    from agentic_atlas.backend.store.migrations.upgrade import upgrade

    upgrade(engine)


def revision_of(connection: Connection) -> str | None:
    """Return the revision of a database's schema; None when it has none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def knows(revision: str) -> bool:
    """Tell whether this program can bring data of this revision to its own schema."""
    return revision in REVISIONS
