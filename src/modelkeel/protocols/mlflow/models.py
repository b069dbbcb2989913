"""Routes of logged models and of the registry."""

from litestar.handlers import HTTPRouteHandler

from modelkeel.core.access import Principal
from modelkeel.core.errors import InvalidInput
from modelkeel.protocols.mlflow import answers
from modelkeel.protocols.mlflow import messages as m
from modelkeel.protocols.mlflow.endpoint import endpoint, require
from modelkeel.registry.models import ModelVersion, RegisteredModel, version_number
from modelkeel.registry.service import Registry
from modelkeel.tracking.models import ArtifactOwner, ModelStatus
from modelkeel.tracking.search import LOGGED_MODELS, Order, parse_order
from modelkeel.tracking.service import Tracking

MODELS_DEFAULT, MODELS_MOST = 100, 1000
VERSIONS_DEFAULT, VERSIONS_MOST = 10_000, 200_000


def logged_model_routes(tracking: Tracking) -> list[HTTPRouteHandler]:
    """`/mlflow/logged-models…`."""

    async def create(principal: Principal, asked: m.CreateLoggedModel) -> answers.OneLoggedModel:
        require(experiment_id=asked.experiment_id)
        made = await tracking.create_logged_model(
            principal,
            asked.experiment_id,
            name=asked.name or None,
            model_type=asked.model_type,
            source_run=asked.source_run_id,
            params=m.params(asked.params),
            tags=m.tags(asked.tags),
        )
        return answers.OneLoggedModel(answers.logged_model(made))

    async def get(principal: Principal, asked: m.LoggedModelId) -> answers.OneLoggedModel:
        deleted = str(asked.allow_deleted).lower() == "true"
        found = await tracking.logged_model(principal, asked.model_id, deleted=deleted)
        return answers.OneLoggedModel(answers.logged_model(found))

    async def finalize(principal: Principal, asked: m.FinalizeLoggedModel) -> answers.OneLoggedModel:
        require(status=asked.status)
        done = await tracking.finalize_logged_model(principal, asked.model_id, _status(str(asked.status)))
        return answers.OneLoggedModel(answers.logged_model(done))

    async def delete(principal: Principal, asked: m.LoggedModelId) -> None:
        await tracking.delete_logged_model(principal, asked.model_id)

    async def tag(principal: Principal, asked: m.LoggedModelTags) -> None:
        await tracking.tag_logged_model(principal, asked.model_id, m.tags(asked.tags))

    async def untag(principal: Principal, asked: m.LoggedModelTagKey) -> None:
        await tracking.untag_logged_model(principal, asked.model_id, asked.tag_key)

    async def params(principal: Principal, asked: m.LoggedModelParams) -> None:
        await tracking.log_model_params(principal, asked.model_id, m.params(asked.params))

    async def folder(principal: Principal, asked: m.LoggedModelFolder) -> answers.ManyFiles:
        found = await tracking.logged_model(principal, asked.model_id)
        owner = ArtifactOwner.model(found.id)
        listed = await tracking.list_folder(principal, owner, asked.artifact_directory_path)
        return answers.files(listed, found.artifact_uri)

    async def search(principal: Principal, asked: m.SearchLoggedModels) -> answers.ManyLoggedModels:
        if not asked.experiment_ids:
            raise InvalidInput("Missing value for required parameter 'experiment_ids'.")
        found, token = await tracking.search_logged_models(
            principal,
            asked.experiment_ids,
            filter=asked.filter,
            orders=[_order(order) for order in asked.order_by],
            datasets=[_dataset(item) for item in asked.datasets],
            limit=m.page_size(asked.max_results, MODELS_DEFAULT, MODELS_MOST),
            token=asked.page_token,
        )
        return answers.ManyLoggedModels([answers.logged_model(model) for model in found], token)

    at = "/mlflow/logged-models"
    one = f"{at}/{{model_id}}"
    return [
        endpoint("POST", at, m.CreateLoggedModel, create, writes="record"),
        endpoint("POST", f"{at}/search", m.SearchLoggedModels, search),
        endpoint("GET", one, m.LoggedModelId, get),
        endpoint("PATCH", one, m.FinalizeLoggedModel, finalize, writes="record"),
        endpoint("DELETE", one, m.LoggedModelId, delete, writes="record"),
        endpoint("PATCH", f"{one}/tags", m.LoggedModelTags, tag, writes="record"),
        endpoint("DELETE", f"{one}/tags/{{tag_key}}", m.LoggedModelTagKey, untag, writes="record"),
        endpoint("POST", f"{one}/params", m.LoggedModelParams, params, writes="record"),
        endpoint("GET", f"{one}/artifacts/directories", m.LoggedModelFolder, folder),
    ]


def model_routes(registry: Registry) -> list[HTTPRouteHandler]:
    """`/mlflow/registered-models/…`."""

    async def one(principal: Principal, model: RegisteredModel) -> answers.OneModel:
        latest = await registry.latest_by_stage(principal, [model.name])
        return answers.OneModel(answers.model(model, latest[model.name]))

    async def create(principal: Principal, asked: m.CreateRegisteredModel) -> answers.OneModel:
        require(name=asked.name)
        model = await registry.create_model(principal, asked.name, m.pairs(asked.tags), asked.description)
        return answers.OneModel(answers.model(model))

    async def get(principal: Principal, asked: m.ModelName) -> answers.OneModel:
        require(name=asked.name)
        return await one(principal, await registry.model(principal, asked.name))

    async def rename(principal: Principal, asked: m.RenameModel) -> answers.OneModel:
        require(name=asked.name, new_name=asked.new_name)
        return await one(principal, await registry.rename_model(principal, asked.name, asked.new_name))

    async def update(principal: Principal, asked: m.DescribeModel) -> answers.OneModel:
        require(name=asked.name)
        return await one(principal, await registry.describe_model(principal, asked.name, asked.description))

    async def delete(principal: Principal, asked: m.ModelName) -> None:
        require(name=asked.name)
        await registry.delete_model(principal, asked.name)

    async def search(principal: Principal, asked: m.Search) -> answers.ManyModels:
        found, token = await registry.search_models(
            principal,
            filter=asked.filter,
            order_by=asked.order_by,
            limit=m.page_size(asked.max_results, MODELS_DEFAULT, MODELS_MOST),
            token=asked.page_token,
        )
        latest = await registry.latest_by_stage(principal, [model.name for model in found])
        return answers.ManyModels([answers.model(model, latest[model.name]) for model in found], token)

    async def latest(principal: Principal, asked: m.LatestVersions) -> answers.ManyVersions:
        require(name=asked.name)
        found = await registry.latest_by_stage(principal, [asked.name], asked.stages)
        return answers.ManyVersions([answers.version(version) for version in found[asked.name]])

    async def tag(principal: Principal, asked: m.ModelTag) -> None:
        require(name=asked.name, key=asked.key)
        await registry.tag_model(principal, asked.name, asked.key, asked.value)

    async def untag(principal: Principal, asked: m.ModelTag) -> None:
        require(name=asked.name, key=asked.key)
        await registry.untag_model(principal, asked.name, asked.key)

    at = "/mlflow/registered-models"
    return [
        endpoint("POST", f"{at}/create", m.CreateRegisteredModel, create, writes="record"),
        endpoint("GET", f"{at}/get", m.ModelName, get),
        endpoint("POST", f"{at}/rename", m.RenameModel, rename, writes="record"),
        endpoint("PATCH", f"{at}/update", m.DescribeModel, update, writes="record"),
        endpoint("DELETE", f"{at}/delete", m.ModelName, delete, writes="record"),
        endpoint("GET", f"{at}/search", m.Search, search),
        endpoint("GET", f"{at}/get-latest-versions", m.LatestVersions, latest),
        endpoint("POST", f"{at}/get-latest-versions", m.LatestVersions, latest),
        endpoint("POST", f"{at}/set-tag", m.ModelTag, tag, writes="record"),
        endpoint("DELETE", f"{at}/delete-tag", m.ModelTag, untag, writes="record"),
    ]


def alias_routes(registry: Registry) -> list[HTTPRouteHandler]:
    """`/mlflow/registered-models/alias`."""

    async def set_alias(principal: Principal, asked: m.Alias) -> None:
        require(name=asked.name, alias=asked.alias, version=asked.version)
        await registry.set_alias(principal, asked.name, asked.alias, version_number(asked.version))

    async def delete_alias(principal: Principal, asked: m.Alias) -> None:
        require(name=asked.name, alias=asked.alias)
        await registry.delete_alias(principal, asked.name, asked.alias)

    async def by_alias(principal: Principal, asked: m.Alias) -> answers.OneVersion:
        require(name=asked.name, alias=asked.alias)
        return answers.OneVersion(answers.version(await registry.by_alias(principal, asked.name, asked.alias)))

    at = "/mlflow/registered-models/alias"
    return [
        endpoint("POST", at, m.Alias, set_alias, writes="record"),
        endpoint("DELETE", at, m.Alias, delete_alias, writes="record"),
        endpoint("GET", at, m.Alias, by_alias),
    ]


def version_routes(registry: Registry) -> list[HTTPRouteHandler]:
    """`/mlflow/model-versions/…`."""

    def number(asked: m.VersionId) -> int:
        require(name=asked.name, version=asked.version)
        return version_number(asked.version)

    async def found(principal: Principal, asked: m.VersionId) -> ModelVersion:
        return await registry.version_info(principal, asked.name, number(asked))

    async def create(principal: Principal, asked: m.CreateVersion) -> answers.OneVersion:
        require(name=asked.name, source=asked.source)
        made = await registry.create_version(
            principal,
            asked.name,
            asked.source,
            run_id=asked.run_id,
            logged_model_id=asked.model_id,
            tags=m.pairs(asked.tags),
            description=asked.description,
            run_link=asked.run_link,
        )
        return answers.OneVersion(answers.version(made))

    async def get(principal: Principal, asked: m.VersionId) -> answers.OneVersion:
        return answers.OneVersion(answers.version(await found(principal, asked)))

    async def update(principal: Principal, asked: m.DescribeVersion) -> answers.OneVersion:
        done = await registry.describe_version(principal, asked.name, number(asked), asked.description)
        return answers.OneVersion(answers.version(done))

    async def stage(principal: Principal, asked: m.TransitionStage) -> answers.OneVersion:
        at = number(asked)
        require(stage=asked.stage)
        done = await registry.transition(
            principal, asked.name, at, asked.stage, archive=asked.archive_existing_versions
        )
        return answers.OneVersion(answers.version(done))

    async def delete(principal: Principal, asked: m.VersionId) -> None:
        await registry.delete_version(principal, asked.name, number(asked))

    async def search(principal: Principal, asked: m.Search) -> answers.ManyVersions:
        versions, token = await registry.search_versions(
            principal,
            filter=asked.filter,
            order_by=asked.order_by,
            limit=m.page_size(asked.max_results, VERSIONS_DEFAULT, VERSIONS_MOST),
            token=asked.page_token,
        )
        return answers.ManyVersions([answers.version(version) for version in versions], token)

    async def download_uri(principal: Principal, asked: m.VersionId) -> answers.DownloadUri:
        return answers.DownloadUri((await found(principal, asked)).artifact_uri)

    async def tag(principal: Principal, asked: m.VersionTag) -> None:
        require(key=asked.key)
        await registry.tag_version(principal, asked.name, number(asked), asked.key, asked.value)

    async def untag(principal: Principal, asked: m.VersionTag) -> None:
        require(key=asked.key)
        await registry.untag_version(principal, asked.name, number(asked), asked.key)

    at = "/mlflow/model-versions"
    return [
        endpoint("POST", f"{at}/create", m.CreateVersion, create, writes="record"),
        endpoint("GET", f"{at}/get", m.VersionId, get),
        endpoint("PATCH", f"{at}/update", m.DescribeVersion, update, writes="record"),
        endpoint("POST", f"{at}/transition-stage", m.TransitionStage, stage, writes="record"),
        endpoint("DELETE", f"{at}/delete", m.VersionId, delete, writes="record"),
        endpoint("GET", f"{at}/search", m.Search, search),
        endpoint("GET", f"{at}/get-download-uri", m.VersionId, download_uri),
        endpoint("POST", f"{at}/set-tag", m.VersionTag, tag, writes="record"),
        endpoint("DELETE", f"{at}/delete-tag", m.VersionTag, untag, writes="record"),
    ]


def _status(text: str) -> ModelStatus:
    """A status by name or number."""
    try:
        return list(ModelStatus)[int(text) - 1] if text in {"1", "2", "3"} else ModelStatus(text)
    except ValueError:
        raise InvalidInput(f"Invalid value '{text}' for parameter 'status' supplied.") from None


def _order(order: m.WireOrder) -> Order:
    parsed = parse_order([order.field_name], LOGGED_MODELS)[0]
    return Order(parsed.kind, parsed.key, order.ascending, order.dataset_name, order.dataset_digest)


def _dataset(item: m.DatasetFilter) -> tuple[str, str]:
    if not item.dataset_name:
        raise InvalidInput("`dataset_name` in the `datasets` clause must be specified.")
    return item.dataset_name, item.dataset_digest
