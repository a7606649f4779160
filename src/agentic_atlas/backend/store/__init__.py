"""The store on SQLAlchemy Core: tables, queries, migrations, and the one writer. Begin at `database.open_store`."""
