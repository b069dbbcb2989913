"""The tables of triggers."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Creates the tables."""
    op.create_table(
        "pipeline_trigger",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("workspace", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("config", sa.LargeBinary, nullable=False),
        sa.Column("paused", sa.Integer, nullable=False),
        sa.Column("principal", sa.Text, nullable=False),
        sa.Column("secret", sa.LargeBinary, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("next_due", sa.BigInteger),
        sa.Column("mark", sa.Text),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("updated", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_pipeline_trigger_workspace_name", "pipeline_trigger", ["workspace", "name"], unique=True)
    op.create_index("ix_pipeline_trigger_next_due", "pipeline_trigger", ["next_due"])
    op.create_table(
        "trigger_firing",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("trigger", sa.Text, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("due", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("params", sa.LargeBinary, nullable=False),
        sa.Column("run_id", sa.Text),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("ended", sa.BigInteger),
    )
    op.create_index("ix_trigger_firing_trigger_event", "trigger_firing", ["trigger", "event"], unique=True)
    op.create_index("ix_trigger_firing_status", "trigger_firing", ["status"])
