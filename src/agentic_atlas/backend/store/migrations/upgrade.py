"""Brings a database to a newer schema: one transaction, so a kill half way leaves what was there."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from agentic_atlas.backend.store.sqlite import unchecked_references
from agentic_atlas.errors import ConfigurationError

HERE = Path(__file__).parent


def upgrade(engine: Engine, folder: Path = HERE, *, to: str = "head") -> None:
    """Apply the migrations of `folder` that are missing, up to the revision `to`.

    Raises ConfigurationError when a newer program made the schema.
    """
    config = config_of(folder)
    scripts = ScriptDirectory.from_config(config)
    with engine.connect() as connection, unchecked_references(connection), connection.begin():
        known = {script.revision for script in scripts.walk_revisions()}
        there = set(MigrationContext.configure(connection).get_current_heads())
        if there - known:
            raise ConfigurationError(
                f"this data was written by a newer version of Agentic Atlas (schema {max(there - known)}, "
                f"this version knows up to {scripts.get_current_head()}): install that version again, "
                "or restore a backup that was made before the upgrade"
            )
        config.attributes["connection"] = connection
        command.upgrade(config, to)


def config_of(folder: Path) -> Config:
    """Return what Alembic has to know of the migrations in a folder."""
    config = Config()
    config.set_main_option("script_location", folder.as_posix().replace("%", "%%"))
    return config
