"""Tracking's tables.

Runs and metric keys have small integers of their own (`seq`, `id`), because a metric point repeats both. Params and
tags are indexed by the first 200 characters of their value: Postgres refuses longer index rows.
"""

import sqlalchemy as sa

from modelkeel.storage.schema import metadata

HEAD = 200
_serial = sa.BigInteger().with_variant(sa.Integer, "sqlite")

experiment = sa.Table(
    "experiment",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("workspace", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("lifecycle", sa.Text, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("updated", sa.BigInteger, nullable=False),
    sa.Index(
        "ix_experiment_active_name",
        "workspace",
        "name",
        unique=True,
        sqlite_where=sa.text("lifecycle = 'active'"),
        postgresql_where=sa.text("lifecycle = 'active'"),
    ),
)
default_experiment = sa.Table(
    "default_experiment",
    metadata,
    sa.Column("workspace", sa.Text, primary_key=True),
    sa.Column("experiment", sa.Text, nullable=False),
)
experiment_tag = sa.Table(
    "experiment_tag",
    metadata,
    sa.Column("experiment", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
run = sa.Table(
    "run",
    metadata,
    sa.Column("seq", _serial, primary_key=True, autoincrement=True),
    sa.Column("id", sa.Text, nullable=False),
    sa.Column("workspace", sa.Text, nullable=False),
    sa.Column("experiment", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("user", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("lifecycle", sa.Text, nullable=False),
    sa.Column("started", sa.BigInteger, nullable=False),
    sa.Column("ended", sa.BigInteger),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("deleted", sa.BigInteger),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("unsealed", sa.BigInteger),
    sa.Column("seal", sa.Text),
    sa.Index("ix_run_id", "id", unique=True),
    sa.Index("ix_run_experiment_started", "experiment", "started"),
    sa.Index("ix_run_unsealed", "unsealed"),
)
metric_key = sa.Table(
    "metric_key",
    metadata,
    sa.Column("id", _serial, primary_key=True, autoincrement=True),
    sa.Column("workspace", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Index("ix_metric_key_workspace_key", "workspace", "key", unique=True),
)
metric_point = sa.Table(
    "metric_point",
    metadata,
    sa.Column("run", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("key", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("step", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("ts", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("value", sa.Double, primary_key=True, autoincrement=False),
    sa.Column("is_nan", sa.SmallInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)
metric_latest = sa.Table(
    "metric_latest",
    metadata,
    sa.Column("run", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("key", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("step", sa.BigInteger, nullable=False),
    sa.Column("ts", sa.BigInteger, nullable=False),
    sa.Column("value", sa.Double, nullable=False),
    sa.Column("is_nan", sa.SmallInteger, nullable=False),
    sa.Index("ix_metric_latest_key_value", "key", "value", "run"),
    sqlite_with_rowid=False,
)
param = sa.Table(
    "param",
    metadata,
    sa.Column("run", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    sa.Index("ix_param_key_value", "key", sa.text(f"substr(value, 1, {HEAD})"), "run"),
    sqlite_with_rowid=False,
)
tag = sa.Table(
    "tag",
    metadata,
    sa.Column("run", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    sa.Index("ix_tag_key_value", "key", sa.text(f"substr(value, 1, {HEAD})"), "run"),
    sqlite_with_rowid=False,
)
dataset_input = sa.Table(
    "dataset_input",
    metadata,
    sa.Column("id", _serial, primary_key=True, autoincrement=True),
    sa.Column("experiment", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("source_type", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("schema", sa.Text),
    sa.Column("profile", sa.Text),
    sa.Index("ix_dataset_input_experiment_name", "experiment", "name", "digest", unique=True),
)
run_input = sa.Table(
    "run_input",
    metadata,
    sa.Column("run", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("dataset", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("context", sa.Text, nullable=False),
    sa.Column("tags", sa.Text, nullable=False),
)
run_model = sa.Table(
    "run_model",
    metadata,
    sa.Column("run", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("direction", sa.Text, primary_key=True),
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("step", sa.BigInteger, nullable=False),
)
logged_model = sa.Table(
    "logged_model",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("workspace", sa.Text, nullable=False),
    sa.Column("experiment", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("source_run", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("lifecycle", sa.Text, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("updated", sa.BigInteger, nullable=False),
    sa.Index("ix_logged_model_experiment_created", "experiment", "created"),
    sa.Index("ix_logged_model_source_run", "source_run"),
)
logged_model_param = sa.Table(
    "logged_model_param",
    metadata,
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
logged_model_tag = sa.Table(
    "logged_model_tag",
    metadata,
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
logged_model_metric = sa.Table(
    "logged_model_metric",
    metadata,
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("step", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("ts", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("run", sa.Text, primary_key=True),
    sa.Column("value", sa.Double, primary_key=True, autoincrement=False),
    sa.Column("is_nan", sa.SmallInteger, nullable=False),
    sa.Column("dataset_name", sa.Text),
    sa.Column("dataset_digest", sa.Text),
)
artifact = sa.Table(
    "artifact",
    metadata,
    sa.Column("owner", sa.Text, primary_key=True),
    sa.Column("path", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
)
frozen_tree = sa.Table(
    "frozen_tree",
    metadata,
    sa.Column("owner", sa.Text, primary_key=True),
    sa.Column("prefix", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
)
