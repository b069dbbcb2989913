"""The tables of monitoring."""

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Creates the tables."""
