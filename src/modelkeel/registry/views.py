"""The registry's answers under `/api/v1`: times are RFC 3339."""

import json
from typing import Any

import msgspec

from modelkeel.core.clock import rfc3339
from modelkeel.registry.mlmodel import read_mlmodel
from modelkeel.registry.models import ModelVersion, RegisteredModel
from modelkeel.tracking.models import ArtifactFile


class VersionView(msgspec.Struct, frozen=True):
    """A version in a list."""

    model_id: str
    name: str
    version: int
    run: str
    logged_model: str
    digest: str
    size: int
    description: str
    created: str
    user: str
    actor: str
    tags: dict[str, str]
    aliases: list[str]


class ModelRow(msgspec.Struct, frozen=True):
    """A model in a list."""

    id: str
    name: str
    description: str
    created: str
    updated: str
    user: str
    tags: dict[str, str]
    aliases: dict[str, int]
    latest: int | None


class ModelPage(msgspec.Struct, frozen=True):
    """Some models; `next` is the token of the next page, or null."""

    models: list[ModelRow]
    next: str | None


class ModelView(msgspec.Struct, frozen=True):
    """A model with all its versions, newest first."""

    model: ModelRow
    versions: list[VersionView]


class ModelSchema(msgspec.Struct, frozen=True):
    """What a version's `MLmodel` file describes: columns or tensors in, out, and params, as MLflow writes them."""

    inputs: Any = None
    outputs: Any = None
    params: Any = None
    flavors: list[str] = []


class VersionDetail(msgspec.Struct, frozen=True):
    """A version with its files and its schema; the schema is null if the file `MLmodel` is missing or unreadable."""

    version: VersionView
    files: list[ArtifactFile]
    schema: ModelSchema | None
    source: str
    artifact_uri: str


def version_view(found: ModelVersion) -> VersionView:
    """A version under `/api/v1`."""
    return VersionView(
        found.model_id,
        found.name,
        found.version,
        found.run_id,
        found.logged_model_id,
        found.digest,
        found.size,
        found.description,
        rfc3339(found.created),
        found.user,
        found.actor,
        found.tags,
        found.aliases,
    )


def model_row(found: RegisteredModel, latest: int | None) -> ModelRow:
    """A model under `/api/v1`."""
    return ModelRow(
        found.id,
        found.name,
        found.description,
        rfc3339(found.created),
        rfc3339(found.updated),
        found.user,
        found.tags,
        found.aliases,
        latest,
    )


def parse_schema(mlmodel: bytes) -> ModelSchema | None:
    """The schema in an `MLmodel` file; None if it can't be read."""
    described = read_mlmodel(mlmodel)
    if described is None:
        return None
    try:
        signature = described.get("signature") or {}
        parts = {part: json.loads(signature[part]) for part in ("inputs", "outputs", "params") if signature.get(part)}
        schema = ModelSchema(**parts, flavors=sorted(described.get("flavors") or {}))
        msgspec.json.encode(parts)  # what is nested too deep to be answered is not read either
    except (ValueError, AttributeError, TypeError, RecursionError):
        return None
    return schema
