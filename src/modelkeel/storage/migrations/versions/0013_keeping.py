"""The tables of transfers, holds and collection of artifacts."""

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Creates the tables."""
