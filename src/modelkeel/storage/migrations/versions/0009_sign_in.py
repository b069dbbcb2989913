"""The tables of signing in."""

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Creates the tables."""
