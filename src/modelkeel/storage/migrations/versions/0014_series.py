"""The tables of folded metric series."""

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Creates the tables."""
