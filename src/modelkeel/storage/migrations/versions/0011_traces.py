"""The tables of traces, assessments and evaluation data sets."""

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Creates the tables."""
