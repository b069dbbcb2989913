"""The tables of grants and groups."""

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Creates the tables."""
