"""The tables of traces. A trace's rows hang on its number, since ids come from clients and are long."""

import sqlalchemy as sa

from modelkeel.storage.schema import metadata

trace = sa.Table(
    "trace",
    metadata,
    sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("workspace", sa.Text, nullable=False),
    sa.Column("id", sa.Text, nullable=False),
    sa.Column("experiment", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("request_time", sa.BigInteger, nullable=False),
    sa.Column("duration", sa.BigInteger),
    sa.Column("client_request", sa.Text),
    sa.Column("request_preview", sa.Text),
    sa.Column("response_preview", sa.Text),
    sa.Column("told", sa.Boolean, nullable=False),
    sa.UniqueConstraint("workspace", "id"),
    sa.Index("ix_trace_experiment", "experiment", "request_time"),
)
trace_tag = sa.Table(
    "trace_tag",
    metadata,
    sa.Column("trace", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
trace_metadata = sa.Table(
    "trace_metadata",
    metadata,
    sa.Column("trace", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
trace_run = sa.Table(
    "trace_run",
    metadata,
    sa.Column("trace", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("run", sa.Text, primary_key=True),
    sa.Index("ix_trace_run_run", "run"),
)
trace_span = sa.Table(
    "trace_span",
    metadata,
    sa.Column("trace", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("start", sa.BigInteger, nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
)
assessment = sa.Table(
    "assessment",
    metadata,
    sa.Column("trace", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("value", sa.Text),
    sa.Column("number", sa.Double),
    sa.Column("valid", sa.Boolean, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("content", sa.Text, nullable=False),
)
evaluation_dataset = sa.Table(
    "evaluation_dataset",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("workspace", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("records", sa.BigInteger, nullable=False),
    sa.Column("schema", sa.Text),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("updated", sa.BigInteger, nullable=False),
    sa.Column("created_by", sa.Text),
    sa.Column("updated_by", sa.Text),
    sa.Index("ix_evaluation_dataset_created", "workspace", "created"),
)
evaluation_tag = sa.Table(
    "evaluation_tag",
    metadata,
    sa.Column("dataset", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
evaluation_experiment = sa.Table(
    "evaluation_experiment",
    metadata,
    sa.Column("dataset", sa.Text, primary_key=True),
    sa.Column("experiment", sa.Text, primary_key=True),
    sa.Index("ix_evaluation_experiment", "experiment"),
)
evaluation_record = sa.Table(
    "evaluation_record",
    metadata,
    sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("id", sa.Text, nullable=False),
    sa.Column("dataset", sa.Text, nullable=False),
    sa.Column("input_key", sa.Text, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("updated", sa.BigInteger, nullable=False),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("content_key", sa.Text, nullable=False),
    sa.UniqueConstraint("dataset", "input_key"),
    sa.Index("ix_evaluation_record_content", "dataset", "content_key"),
)
