"""The tables of tracking."""

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Creates the tables."""
