"""Prompts as the unmodified `mlflow` client registers, finds, aliases and loads them."""

import time

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from tests.conftest import Server


@pytest.fixture
def client(shared_server: Server) -> MlflowClient:
    mlflow.set_tracking_uri(shared_server.url)
    return MlflowClient(shared_server.url)


@pytest.fixture
def name() -> str:
    return f"greeting-{time.time_ns()}"


def test_a_prompt_is_registered_loaded_and_aliased(client: MlflowClient, name: str) -> None:
    first = client.register_prompt(name, "Hello {{who}}", commit_message="first", tags={"tone": "warm"})
    second = client.register_prompt(name, [{"role": "user", "content": "Hi {{who}}"}])
    assert (first.version, second.version) == (1, 2)
    assert client.load_prompt(name, version=1).format(who="keel") == "Hello keel"
    assert client.load_prompt(name, version=1).tags["tone"] == "warm"
    assert client.load_prompt(name, version=2).template == [{"role": "user", "content": "Hi {{who}}"}]
    client.set_prompt_alias(name, "live", 1)
    assert client.load_prompt(f"prompts:/{name}@live").version == 1
    client.delete_prompt_alias(name, "live")
    with pytest.raises(MlflowException):
        client.load_prompt(f"prompts:/{name}@live")


def test_prompts_are_not_among_models(client: MlflowClient, name: str) -> None:
    client.register_prompt(name, "Hello")
    model = f"model-{time.time_ns()}"
    client.create_registered_model(model)
    assert name in {prompt.name for prompt in client.search_prompts(max_results=1000)}
    assert model not in {prompt.name for prompt in client.search_prompts(max_results=1000)}
    models = {found.name for found in client.search_registered_models(max_results=1000)}
    assert model in models
    assert name not in models
    assert client.search_model_versions(f"name = '{name}'") == []
    assert [str(found.version) for found in client.search_prompt_versions(name)] == ["1"]


def test_the_text_of_a_version_can_not_change(client: MlflowClient, name: str) -> None:
    client.register_prompt(name, "Hello")
    for call in (
        lambda: client.set_model_version_tag(name, "1", "mlflow.prompt.text", "Goodbye"),
        lambda: client.delete_model_version_tag(name, "1", "mlflow.prompt.text"),
        lambda: client.set_model_version_tag(name, "1", "mlflow.prompt.is_prompt", "false"),
    ):
        with pytest.raises(MlflowException):
            call()
    client.set_prompt_version_tag(name, "1", "reviewed", "yes")
    assert client.load_prompt(name, version=1).template == "Hello"


def test_a_name_has_prompts_or_models(client: MlflowClient, name: str) -> None:
    model = f"model-{time.time_ns()}"
    client.create_registered_model(model)
    tags = {"mlflow.prompt.is_prompt": "true", "mlflow.prompt.text": "Hello"}
    with pytest.raises(MlflowException, match="is a model, no prompt"):
        client._get_registry_client().store.create_model_version(
            model, "dummy-source", tags=[mlflow.entities.model_registry.ModelVersionTag(k, v) for k, v in tags.items()]
        )
    client.register_prompt(name, "Hello")
    run = client.create_run("0")
    client.log_text(run.info.run_id, "x", "m/MLmodel")
    with pytest.raises(MlflowException, match="is a prompt"):
        client.create_model_version(name, f"runs:/{run.info.run_id}/m", run_id=run.info.run_id)
    with pytest.raises(MlflowException):
        client.create_model_version(model, "dummy-source")
