"""Alembic's entry: runs the migrations on the connection that `storage.migrate` hands over."""

import sqlalchemy as sa
from alembic import context

from modelkeel.storage.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=sa.MetaData(naming_convention=metadata.naming_convention),  # names constraints as the tables do
    transactional_ddl=True,
    transaction_per_migration=False,
)
context.run_migrations()
