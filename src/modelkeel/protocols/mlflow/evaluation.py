"""Routes and messages of evaluation data sets: `/mlflow/datasets…`."""

import json
from typing import Any

import msgspec
from litestar.handlers import HTTPRouteHandler

from modelkeel.core.access import Principal
from modelkeel.core.errors import InvalidInput
from modelkeel.protocols.mlflow.endpoint import endpoint, require
from modelkeel.traces import evaluation_models as e
from modelkeel.traces.service import Traces

_NEW = ("3.0",)
_PAGE = 1000
_ONE = "/mlflow/datasets/{dataset_id}"


class Create(msgspec.Struct):
    """What a new data set is; tags are a JSON object in a string."""

    name: str = ""
    experiment_ids: list[str] = []
    tags: str = ""


class DatasetId(msgspec.Struct):
    """One data set."""

    dataset_id: str = ""


class Search(msgspec.Struct):
    """A search."""

    experiment_ids: list[str] = []
    filter_string: str | None = None
    max_results: int = 0
    order_by: list[str] = []
    page_token: str | None = None


class SetTags(msgspec.Struct):
    """Tags as a JSON object in a string."""

    dataset_id: str = ""
    tags: str = ""


class DeleteTag(msgspec.Struct):
    """One tag."""

    dataset_id: str = ""
    key: str = ""


class PutRecords(msgspec.Struct):
    """Records as a JSON list in a string."""

    dataset_id: str = ""
    records: str = ""


class GetRecords(msgspec.Struct):
    """A page of records."""

    dataset_id: str = ""
    max_results: int = 0
    page_token: str | None = None


class DeleteRecords(msgspec.Struct):
    """Some records."""

    dataset_id: str = ""
    dataset_record_ids: list[str] = []


class Place(msgspec.Struct):
    """Experiments of a data set."""

    dataset_id: str = ""
    experiment_ids: list[str] = []


class Dataset(msgspec.Struct, omit_defaults=True):
    """A data set on the wire."""

    dataset_id: str
    name: str
    tags: str
    digest: str
    created_time: int
    last_update_time: int
    schema: str | None = None
    profile: str | None = None
    created_by: str | None = None
    last_updated_by: str | None = None
    experiment_ids: list[str] = []


class OneDataset(msgspec.Struct):
    """An answer."""

    dataset: Dataset


class ManyDatasets(msgspec.Struct, omit_defaults=True):
    """A page of them."""

    datasets: list[Dataset] = []
    next_page_token: str | None = None


class RecordsPut(msgspec.Struct):
    """What became of records."""

    inserted_count: int
    updated_count: int


class Records(msgspec.Struct, omit_defaults=True):
    """Records as a JSON list in a string."""

    records: str
    next_page_token: str | None = None


class RecordsDeleted(msgspec.Struct):
    """How many there were."""

    deleted_count: int


class ExperimentIds(msgspec.Struct, omit_defaults=True):
    """Experiments of a data set."""

    experiment_ids: list[str] = []


def evaluation_routes(traces: Traces) -> list[HTTPRouteHandler]:
    """`/mlflow/datasets…`."""

    async def create(principal: Principal, asked: Create) -> OneDataset:
        require(name=asked.name)
        given = e.read_tags(asked.tags) if asked.tags else {}
        tags = {key: value for key, value in given.items() if value is not None}
        made = await traces.create_evaluation_dataset(principal, asked.name, tags, asked.experiment_ids)
        return OneDataset(_dataset(made))

    async def get(principal: Principal, asked: DatasetId) -> OneDataset:
        return OneDataset(_dataset(await traces.evaluation_dataset(principal, asked.dataset_id)))

    async def experiments(principal: Principal, asked: DatasetId) -> ExperimentIds:
        return ExperimentIds((await traces.evaluation_dataset(principal, asked.dataset_id)).experiments)

    async def search(principal: Principal, asked: Search) -> ManyDatasets:
        found, token = await traces.search_evaluation_datasets(
            principal,
            asked.experiment_ids,
            text=asked.filter_string,
            order_by=asked.order_by,
            limit=asked.max_results or _PAGE,
            token=asked.page_token,
        )
        return ManyDatasets([_dataset(one) for one in found], token)

    async def set_tags(principal: Principal, asked: SetTags) -> OneDataset:
        require(tags=asked.tags)
        await traces.tag_evaluation_dataset(principal, asked.dataset_id, e.read_tags(asked.tags))
        return OneDataset(_dataset(await traces.evaluation_dataset(principal, asked.dataset_id)))

    async def delete_tag(principal: Principal, asked: DeleteTag) -> None:
        await traces.delete_evaluation_dataset_tag(principal, asked.dataset_id, asked.key)

    async def delete(principal: Principal, asked: DatasetId) -> None:
        await traces.delete_evaluation_dataset(principal, asked.dataset_id)

    async def place(principal: Principal, asked: Place) -> OneDataset:
        ids = asked.experiment_ids
        return OneDataset(
            _dataset(await traces.place_evaluation_dataset(principal, asked.dataset_id, ids, belongs=True))
        )

    async def remove(principal: Principal, asked: Place) -> OneDataset:
        ids = asked.experiment_ids
        return OneDataset(
            _dataset(await traces.place_evaluation_dataset(principal, asked.dataset_id, ids, belongs=False))
        )

    root, one = "/mlflow/datasets", _ONE
    return [
        endpoint("POST", f"{root}/create", Create, create, writes="record", versions=_NEW),
        endpoint("POST", f"{root}/search", Search, search, writes="nothing", versions=_NEW),
        endpoint("GET", f"{root}/search", Search, search, versions=_NEW),
        endpoint("GET", one, DatasetId, get, versions=_NEW),
        endpoint("DELETE", one, DatasetId, delete, writes="record", versions=_NEW),
        endpoint("PATCH", f"{one}/tags", SetTags, set_tags, writes="record", versions=_NEW),
        endpoint("DELETE", f"{one}/tags/{{key}}", DeleteTag, delete_tag, writes="record", versions=_NEW),
        endpoint("GET", f"{one}/experiment-ids", DatasetId, experiments, versions=_NEW),
        endpoint("POST", f"{one}/add-experiments", Place, place, writes="record", versions=_NEW),
        endpoint("POST", f"{one}/remove-experiments", Place, remove, writes="record", versions=_NEW),
    ]


def record_routes(traces: Traces) -> list[HTTPRouteHandler]:
    """`/mlflow/datasets/{dataset_id}/records`."""

    async def put(principal: Principal, asked: PutRecords) -> RecordsPut:
        require(records=asked.records)
        given = e.read_records(asked.records)
        return RecordsPut(*await traces.put_evaluation_records(principal, asked.dataset_id, given))

    async def records(principal: Principal, asked: GetRecords) -> Records:
        limit = asked.max_results or _PAGE
        found, token = await traces.evaluation_records(principal, asked.dataset_id, limit=limit, token=asked.page_token)
        return Records(json.dumps([_record(asked.dataset_id, one) for one in found]), token)

    async def delete_records(principal: Principal, asked: DeleteRecords) -> RecordsDeleted:
        if not asked.dataset_record_ids:
            raise InvalidInput("Missing value for required parameter 'dataset_record_ids'.")
        ids = asked.dataset_record_ids
        return RecordsDeleted(await traces.delete_evaluation_records(principal, asked.dataset_id, ids))

    at = f"{_ONE}/records"
    return [
        endpoint("POST", at, PutRecords, put, writes="record", versions=_NEW),
        endpoint("GET", at, GetRecords, records, versions=_NEW),
        endpoint("DELETE", at, DeleteRecords, delete_records, writes="record", versions=_NEW),
    ]


def _dataset(found: e.EvaluationDataset) -> Dataset:
    return Dataset(
        found.id,
        found.name,
        json.dumps(found.tags),
        found.digest,
        found.created,
        found.updated,
        found.schema,
        json.dumps({"num_records": found.records}) if found.records else None,
        found.created_by,
        found.updated_by,
        found.experiments,
    )


def _record(dataset: str, found: e.EvaluationRecord) -> dict[str, Any]:
    """A record as the client reads it: what it has no value for is left out."""
    content = {key: value for key, value in found.content.items() if value is not None}
    times = {"created_time": found.created, "last_update_time": found.updated}
    return {"dataset_record_id": found.id, "dataset_id": dataset, **content, **times}
