"""The tables of transfers, holds and collection of artifacts."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Creates the tables."""
    op.create_table(
        "blob_condemned",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("since", sa.BigInteger, nullable=False),
    )
