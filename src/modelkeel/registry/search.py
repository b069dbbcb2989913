"""What may be searched for in the registry; the grammar itself is `tracking.search`."""

from modelkeel.tracking.search import Grammar, Kind

_AGE = {"timestamp": "last_updated_timestamp"}
MODELS = Grammar(
    kinds=frozenset({Kind.ATTRIBUTE, Kind.TAG}),
    text=frozenset({"name"}),
    numeric=frozenset(),
    lists=frozenset({"name"}),
    sortable=frozenset({"name", "creation_timestamp", "last_updated_timestamp"}),
    aliases=_AGE,
)
VERSIONS = Grammar(
    kinds=frozenset({Kind.ATTRIBUTE, Kind.TAG}),
    text=frozenset({"name", "run_id", "source_path", "model_id"}),
    numeric=frozenset({"version_number"}),
    lists=frozenset({"name", "run_id", "model_id"}),
    sortable=frozenset({"name", "version_number", "creation_timestamp", "last_updated_timestamp"}),
    aliases=_AGE,
)
