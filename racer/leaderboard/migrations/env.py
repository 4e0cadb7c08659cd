"""How Alembic runs the migrations: on the connection that it is given, within that one's transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], version_table="racer_version")
with context.begin_transaction():
    context.run_migrations()
