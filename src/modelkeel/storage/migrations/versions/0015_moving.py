"""The tables of what was imported and synced."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Creates the tables."""
    op.create_table(
        "moving_import",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("workspace", sa.Text, nullable=False),
        sa.Column("peer", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("started", sa.BigInteger, nullable=False),
        sa.Column("ended", sa.BigInteger),
        sa.Column("report", sa.Text),
    )
    op.create_index("ix_moving_import_workspace", "moving_import", ["workspace", "started"])
    op.create_table(
        "moving_origin",
        sa.Column("workspace", sa.Text, primary_key=True),
        sa.Column("peer", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("theirs", sa.Text, primary_key=True),
        sa.Column("ours", sa.Text, nullable=False),
        sa.Column("base", sa.Text),
        sa.Column("mark", sa.Text, nullable=False),
        sa.Column("updated", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_moving_origin_ours", "moving_origin", ["workspace", "kind", "ours"])
