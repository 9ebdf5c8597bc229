"""Alembic's entry: runs the revisions on the connection that ops.migrate hands over."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], version_table="cx_schema_version")
with context.begin_transaction():
    context.run_migrations()
