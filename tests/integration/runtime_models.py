"""Real models for the runtime's tests: scikit-learn, compiled to ONNX, with a sample that the native model answered."""

import hashlib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.linear_model import LogisticRegression

from modelkeel.wire.serving import Column, Endpoint, ModelSchema, Revision, Route, RoutingTable, Sample, Tensor

NAMES = ("distance", "delay", "hour")
SCHEMA = ModelSchema(
    inputs=tuple(Column(name, "FP64") for name in NAMES),
    outputs=(Column("label", "INT64"), Column("probabilities", "FP32", (2,))),
)


def trained(seed: int) -> LogisticRegression:
    """A classifier that depends on the seed."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(200, 3)).astype(np.float32)
    return LogisticRegression().fit(values, (values @ rng.normal(size=3) > 0).astype(int))


def write_onnx(serving: Path, revision: str, *, seed: int = 0, version: int = 1, wrong: bool = False) -> Revision:
    """Trains, compiles and writes a revision with one input tensor a column; `wrong` falsifies its sample."""
    from onnx import TensorProto, compose, helper

    model = trained(seed)
    folder = serving / "revisions" / revision
    folder.mkdir(parents=True)
    core = to_onnx(model, initial_types=[("X", FloatTensorType([None, 3]))], options={"zipmap": False}, target_opset=17)
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in NAMES]
    packed = helper.make_tensor_value_info("packed", TensorProto.FLOAT, [None, 3])
    front = helper.make_model(
        helper.make_graph([helper.make_node("Concat", list(NAMES), ["packed"], axis=1)], "front", inputs, [packed]),
        opset_imports=core.opset_import,
        ir_version=core.ir_version,
    )
    merged = compose.merge_models(front, core, io_map=[("packed", "X")])
    data = merged.SerializeToString()
    (folder / "model.onnx").write_bytes(data)
    (folder / "sample.json").write_bytes(msgspec.json.encode(sample_of(model, wrong=wrong)))
    return Revision(
        id=revision,
        endpoint="e1",
        model="flights",
        version=version,
        digest=hashlib.sha256(data).hexdigest(),
        kind="onnx",
        path=f"revisions/{revision}/model.onnx",
        schema=SCHEMA,
        sample=f"revisions/{revision}/sample.json",
    )


def sample_of(model: LogisticRegression, *, wrong: bool = False) -> Sample:
    """Twenty rows and what the native model answers to them."""
    values = np.random.default_rng(99).normal(size=(20, 3)).astype(np.float32)
    labels = model.predict(values)
    return Sample(
        inputs=[Tensor(n, "FP64", (20, 1), values[:, i].astype(float).tolist()) for i, n in enumerate(NAMES)],
        outputs=[
            Tensor("label", "INT64", (20,), (1 - labels if wrong else labels).tolist()),
            Tensor("probabilities", "FP32", (20, 2), model.predict_proba(values).ravel().tolist()),
        ],
    )


def table(generation: int, *revisions: Revision, weights: tuple[float, ...] = (1.0,), **endpoint: Any) -> RoutingTable:
    """One endpoint `default/late`; revisions beyond the weights are there for a shadow."""
    routes = tuple(Route(r.id, w) for r, w in zip(revisions, weights, strict=False))
    settings = {"anonymous": True} | endpoint
    live = Endpoint(id="e1", workspace="default", name="late", routes=routes, generation=generation, **settings)
    return RoutingTable(generation, (live,), revisions)


def body(rows: list[list[float]], **extra: Any) -> dict[str, Any]:
    """An Open Inference Protocol request."""
    return {
        "inputs": [
            {"name": name, "datatype": "FP64", "shape": [len(rows), 1], "data": [row[i] for row in rows]}
            for i, name in enumerate(NAMES)
        ],
    } | extra
