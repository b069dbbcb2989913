"""The tables of monitoring: prediction log, labels, monitors, windows, alerts, actions, incidents."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
_SEQ = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Creates the tables."""
    op.create_table(
        "spool_file",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("collected", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "prediction_segment",
        sa.Column("seq", _SEQ, primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("workspace", sa.Text, nullable=False),
        sa.Column("endpoint", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("gap_rows", sa.BigInteger, nullable=False),
        sa.Column("min_event", sa.BigInteger, nullable=False),
        sa.Column("max_event", sa.BigInteger, nullable=False),
        sa.Column("min_time", sa.BigInteger, nullable=False),
        sa.Column("max_time", sa.BigInteger, nullable=False),
        sa.Column("min_request", sa.Text, nullable=False),
        sa.Column("max_request", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("root", sa.Text, nullable=False),
        sa.Column("sources", sa.Text, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_prediction_segment_workspace_name_seq", "prediction_segment", ["workspace", "name", "seq"])
    op.create_index("ix_prediction_segment_workspace_max_request", "prediction_segment", ["workspace", "max_request"])
    op.create_table(
        "prediction_gap",
        sa.Column("seq", _SEQ, primary_key=True, autoincrement=True),
        sa.Column("workspace", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("start", sa.BigInteger, nullable=False),
        sa.Column("end", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "prediction_traffic",
        sa.Column("workspace", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("bucket", sa.BigInteger, primary_key=True),
        sa.Column("revision", sa.Text, primary_key=True),
        sa.Column("variant", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("requests", sa.BigInteger, nullable=False),
        sa.Column("latency_us", sa.BigInteger, nullable=False),
        sa.Column("slowest_us", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "label_inbox",
        sa.Column("seq", _SEQ, primary_key=True, autoincrement=True),
        sa.Column("workspace", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("received", sa.BigInteger, nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_label_inbox_workspace_seq", "label_inbox", ["workspace", "seq"])
    op.create_table(
        "label_segment",
        sa.Column("seq", _SEQ, primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("workspace", sa.Text, nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("min_request", sa.Text, nullable=False),
        sa.Column("max_request", sa.Text, nullable=False),
        sa.Column("min_received", sa.BigInteger, nullable=False),
        sa.Column("max_received", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("root", sa.Text, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_label_segment_workspace_max_request", "label_segment", ["workspace", "max_request"])
    op.create_index("ix_label_segment_workspace_seq", "label_segment", ["workspace", "seq"])
    op.create_table(
        "monitor",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("workspace", sa.Text, nullable=False),
        sa.Column("endpoint", sa.Text, nullable=False),
        sa.Column("config", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("generation", sa.BigInteger, nullable=False),
        sa.Column("segment_cursor", sa.BigInteger, nullable=False),
        sa.Column("label_cursor", sa.BigInteger, nullable=False),
        sa.Column("advanced", sa.BigInteger, nullable=False),
        sa.Column("watermark", sa.BigInteger, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("updated", sa.BigInteger, nullable=False),
        sa.Column("deleted", sa.BigInteger),
    )
    op.create_index("ix_monitor_workspace_endpoint", "monitor", ["workspace", "endpoint"], unique=True)
    op.create_table(
        "monitor_reference",
        sa.Column("monitor", sa.Text, primary_key=True),
        sa.Column("revision", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("profile", sa.LargeBinary, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "monitor_source",
        sa.Column("monitor", sa.Text, primary_key=True),
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("max_event", sa.BigInteger, nullable=False),
        sa.Column("max_time", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "monitor_window",
        sa.Column("monitor", sa.Text, primary_key=True),
        sa.Column("start", sa.BigInteger, primary_key=True),
        sa.Column("closed", sa.BigInteger),
        sa.Column("dirty", sa.Boolean, nullable=False),
        sa.Column("updated", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "monitor_window_stats",
        sa.Column("monitor", sa.Text, primary_key=True),
        sa.Column("start", sa.BigInteger, primary_key=True),
        sa.Column("revision", sa.Text, primary_key=True),
        sa.Column("variant", sa.Text, primary_key=True),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("stats", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "monitor_window_labels",
        sa.Column("monitor", sa.Text, primary_key=True),
        sa.Column("start", sa.BigInteger, primary_key=True),
        sa.Column("revision", sa.Text, primary_key=True),
        sa.Column("variant", sa.Text, primary_key=True),
        sa.Column("part", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "monitor_verdict",
        sa.Column("monitor", sa.Text, primary_key=True),
        sa.Column("start", sa.BigInteger, primary_key=True),
        sa.Column("revision", sa.Text, primary_key=True),
        sa.Column("variant", sa.Text, primary_key=True),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("labels", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "alert",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("workspace", sa.Text, nullable=False),
        sa.Column("monitor", sa.Text, nullable=False),
        sa.Column("endpoint", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("feature", sa.Text, nullable=False),
        sa.Column("revision", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("open", sa.Text),
        sa.Column("window_start", sa.BigInteger, nullable=False),
        sa.Column("window_end", sa.BigInteger, nullable=False),
        sa.Column("last_start", sa.BigInteger, nullable=False),
        sa.Column("windows", sa.Integer, nullable=False),
        sa.Column("effect", sa.Float, nullable=False),
        sa.Column("threshold", sa.Float, nullable=False),
        sa.Column("p", sa.Float),
        sa.Column("evidence", sa.LargeBinary, nullable=False),
        sa.Column("incident", sa.Text, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("updated", sa.BigInteger, nullable=False),
        sa.Column("acknowledged", sa.BigInteger),
        sa.Column("acknowledged_by", sa.Text),
        sa.Column("note", sa.Text),
        sa.Column("resolved", sa.BigInteger),
        sa.Column("resolution", sa.Text),
    )
    op.create_index("ix_alert_workspace_created", "alert", ["workspace", "created"])
    op.create_index("ix_alert_open", "alert", ["open"], unique=True)
    op.create_index("ix_alert_monitor_status", "alert", ["monitor", "status"])
    op.create_index("ix_alert_incident", "alert", ["incident"])
    op.create_table(
        "alert_action",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("workspace", sa.Text, nullable=False),
        sa.Column("monitor", sa.Text, nullable=False),
        sa.Column("alert", sa.Text, nullable=False),
        sa.Column("window_start", sa.BigInteger, nullable=False),
        sa.Column("incident", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("params", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("run", sa.Text),
        sa.Column("error", sa.Text),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("started", sa.BigInteger),
        sa.Column("ended", sa.BigInteger),
    )
    op.create_index(
        "ix_alert_action_monitor_alert_window_start", "alert_action", ["monitor", "alert", "window_start"], unique=True
    )
    op.create_index("ix_alert_action_status", "alert_action", ["status"])
    op.create_index("ix_alert_action_run", "alert_action", ["run"])
    op.create_table(
        "incident",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("workspace", sa.Text, nullable=False),
        sa.Column("monitor", sa.Text, nullable=False),
        sa.Column("endpoint", sa.Text, nullable=False),
        sa.Column("open", sa.Text),
        sa.Column("opened", sa.BigInteger, nullable=False),
        sa.Column("closed", sa.BigInteger),
        sa.Column("resolution", sa.Text),
    )
    op.create_index("ix_incident_workspace_opened", "incident", ["workspace", "opened"])
    op.create_index("ix_incident_open", "incident", ["open"], unique=True)
