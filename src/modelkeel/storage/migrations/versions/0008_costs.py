"""The tables of costs."""

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Creates the tables."""
