"""The tables of what was imported and synced."""

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Creates the tables."""
