"""The tables of serving."""

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Creates the tables."""
