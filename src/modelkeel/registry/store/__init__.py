"""All of the registry's SQL."""

from modelkeel.registry.store.records import (
    add_model,
    add_version,
    change_model,
    change_version,
    delete_alias,
    delete_model_tag,
    delete_version_tag,
    load_models,
    load_versions,
    model_named,
    next_version,
    set_alias,
    set_model_tag,
    set_version_tag,
    versions,
)
from modelkeel.registry.store.search import search_models, search_versions, versions_of_run

__all__ = [
    "add_model",
    "add_version",
    "change_model",
    "change_version",
    "delete_alias",
    "delete_model_tag",
    "delete_version_tag",
    "load_models",
    "load_versions",
    "model_named",
    "next_version",
    "search_models",
    "search_versions",
    "set_alias",
    "set_model_tag",
    "set_version_tag",
    "versions",
    "versions_of_run",
]
