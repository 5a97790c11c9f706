"""Alembic's entry point: migrates over the connection that ``pidgr.storage.migration`` hands in."""

from alembic import context

from pidgr.storage.schema import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    version_table="schema_version",
    # SQLite cannot alter tables in place.
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
