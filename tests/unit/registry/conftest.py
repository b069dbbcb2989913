"""A model with two versions, and principals."""

from dataclasses import dataclass

import pytest

from modelkeel.app import Keel
from modelkeel.core.access import Principal
from modelkeel.registry.models import ModelVersion
from modelkeel.tracking.models import ArtifactOwner, ModelStatus, Run
from tests.unit.tracking.conftest import fresh, person, stranger, viewer

__all__ = ["fresh", "person", "stranger", "viewer"]


@dataclass
class Registered:
    """The model `flights`: version 1 from a run's folder, version 2 from a logged model; `champion` means 1."""

    run: Run
    one: ModelVersion
    two: ModelVersion


@pytest.fixture
async def flights(keel: Keel, person: Principal) -> Registered:
    run = await keel.tracking.create_run(person, "0", name="train")
    owner = ArtifactOwner.run(run.id)
    await keel.tracking.put_file(person, owner, "model/MLmodel", b"flavors: {sklearn: {}}")
    await keel.tracking.put_file(person, owner, "model/model.pkl", b"weights")
    await keel.tracking.put_file(person, owner, "report.txt", b"fine")
    logged = await keel.tracking.create_logged_model(person, "0", name="m", source_run=run.id)
    await keel.tracking.put_file(person, ArtifactOwner.model(logged.id), "MLmodel", b"flavors: {}")
    await keel.tracking.finalize_logged_model(person, logged.id, ModelStatus.READY)
    await keel.registry.create_model(person, "flights", {"team": "ops"}, "Late flights")
    one = await keel.registry.create_version(person, "flights", f"runs:/{run.id}/model", run_id=run.id)
    two = await keel.registry.create_version(person, "flights", f"models:/{logged.id}", logged_model_id=logged.id)
    await keel.registry.set_alias(person, "flights", "champion", 1)
    return Registered(run, one, two)
