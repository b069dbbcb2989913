"""The tables of stages and webhooks."""

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Creates the tables."""
