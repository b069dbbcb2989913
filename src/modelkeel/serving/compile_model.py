"""The compile process: turns a logged model into ONNX and checks that it answers as the native model does.

Run by file path in the model's own environment plus a converter: `python -I compile_model.py MODEL OUT`. It needs
mlflow, numpy, pandas and, to compile, skl2onnx and onnxruntime; nothing of ours. Writes `OUT/result.json`
(`kind`, `note`, `schema`, `sample`), `OUT/sample.json` and, where it compiled, `OUT/model.onnx`.

Generated inputs are the logged sample, rows mixed from its columns, and the neighbours of each number: what a threshold
would tell apart. Any changed label, or a probability off by more than 1e-5, keeps the model native.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

TOLERANCE = 1e-5
GENERATED = 2000
SAMPLE_ROWS = 20
DTYPES = {
    "boolean": "BOOL",
    "integer": "INT32",
    "long": "INT64",
    "float": "FP32",
    "double": "FP64",
    "string": "BYTES",
    "datetime": "INT64",
}
NUMPY = {"BOOL": "bool", "INT32": "int32", "INT64": "int64", "FP32": "float32", "FP64": "float64", "BYTES": "object"}


def fail(message: str) -> None:
    """Ends with one clear line: the revision fails and shows it."""
    sys.stderr.write(message + "\n")
    sys.exit(2)


def read_schema(model: Any) -> list[dict[str, Any]]:
    """The logged input columns."""
    schema = model.get_input_schema()
    if schema is None or schema.is_tensor_spec() or not schema.has_input_names():
        fail("The model was logged without named input columns. Log it again with an input_example or a signature.")
    return [{"name": c.name, "dtype": DTYPES[str(c.type).rsplit(".", 1)[-1]], "shape": []} for c in schema.inputs]


def example_of(model: Any, folder: Path, columns: list[dict[str, Any]]) -> pd.DataFrame:
    """The logged input example as a frame of the schema's types."""
    info = model.saved_input_example_info
    if not info:
        fail("The model was logged without an input_example. Log it again with one: a revision is verified on it.")
    raw = json.loads((folder / info["artifact_path"]).read_text())
    frame = pd.DataFrame(raw["data"], columns=raw.get("columns"))
    return pd.DataFrame({c["name"]: frame[c["name"]].astype(NUMPY[c["dtype"]]) for c in columns})


def generated(example: pd.DataFrame) -> pd.DataFrame:
    """Rows mixed from the example's columns; numbers also one step of float32 up and down, and between neighbours."""
    draw = np.random.default_rng(0)
    columns = {}
    for name, series in example.items():
        values = series.to_numpy()
        if values.dtype.kind == "f":
            near = [values, np.nextafter(values, np.float32(np.inf)), np.nextafter(values, np.float32(-np.inf))]
            ordered = np.sort(values)
            near.append(((ordered[1:] + ordered[:-1]) / 2).astype(values.dtype))
            values = np.concatenate(near).astype(values.dtype)
        elif values.dtype.kind == "i":
            values = np.concatenate([values, values - 1, values + 1])
        columns[name] = draw.choice(values, GENERATED)
    return pd.DataFrame({n: pd.Series(v, dtype=example[n].dtype) for n, v in columns.items()})


def answers(native: Any, frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """What the native model says: `label` (and `probabilities`) of a classifier, else `prediction`."""
    predicted = np.asarray(native.predict(frame))
    if not hasattr(native, "predict_proba"):
        return {"prediction": predicted.reshape(len(frame), -1).squeeze(1).astype("float64")}
    return {"label": predicted, "probabilities": np.asarray(native.predict_proba(frame), dtype="float64")}


def describe(outputs: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """Names and types of the outputs."""
    kinds = {"b": "BOOL", "i": "INT64", "u": "INT64", "f": "FP64", "O": "BYTES", "U": "BYTES"}
    return [{"name": n, "dtype": kinds[v.dtype.kind], "shape": list(v.shape[1:])} for n, v in outputs.items()]


def tensors(columns: list[dict[str, Any]], values: dict[str, Any]) -> list[dict[str, Any]]:
    """The Open Inference Protocol's JSON form."""
    made = []
    for c in columns:
        data = np.asarray(values[c["name"]])
        listed = [None if isinstance(x, float) and np.isnan(x) else x for x in data.ravel().tolist()]
        made.append({"name": c["name"], "datatype": c["dtype"], "shape": list(data.shape), "data": listed})
    return made


def by_column(native: Any, frame: pd.DataFrame) -> Any:
    """The model behind one input a column: one that takes a matrix gets its columns put together first."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

    first = native.steps[0][1] if isinstance(native, Pipeline) else native
    if isinstance(first, ColumnTransformer):
        return native
    together = ColumnTransformer([(name, "passthrough", [name]) for name in frame.columns]).fit(frame)
    return Pipeline([("columns", together), ("model", native)])


def restore_names(graph: Any, names: list[str]) -> None:
    """Gives a converted graph's inputs the columns' own names: the converter makes identifiers of them."""
    renamed = {value.name: name for value, name in zip(graph.input, names, strict=True)}
    for value in graph.input:
        value.name = renamed[value.name]
    for node in graph.node:
        for position, name in enumerate(node.input):
            node.input[position] = renamed.get(name, name)


def compile_onnx(native: Any, columns: list[dict[str, Any]], frame: pd.DataFrame, out: Path) -> str:
    """Compiles and compares; returns why not, or nothing."""
    try:
        import onnxruntime
        from skl2onnx import to_onnx
        from skl2onnx.common import data_types as types
    except ImportError as error:
        return f"the converter is not installed ({error.name})"
    kinds = {
        "BOOL": types.BooleanTensorType,
        "INT32": types.Int32TensorType,
        "INT64": types.Int64TensorType,
        "FP32": types.FloatTensorType,
        "FP64": types.DoubleTensorType,
        "BYTES": types.StringTensorType,
    }
    inputs = [(c["name"], kinds[c["dtype"]]([None, 1])) for c in columns]
    options = {"zipmap": False} if hasattr(native, "predict_proba") else None
    try:
        model = to_onnx(by_column(native, frame), initial_types=inputs, options=options)
        restore_names(model.graph, [c["name"] for c in columns])
    except Exception as error:  # noqa: BLE001 - a converter may raise anything; the native model serves then
        return f"no conversion to ONNX: {type(error).__name__}: {str(error)[:300]}"
    path = out / "model.onnx"
    path.write_bytes(model.SerializeToString())
    feed = {c["name"]: frame[c["name"]].to_numpy().astype(NUMPY[c["dtype"]]).reshape(-1, 1) for c in columns}
    try:
        got = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, feed)
    except Exception as error:  # noqa: BLE001 - what the runtime refuses to load or run serves natively
        return f"ONNX Runtime refuses the compiled model: {str(error)[:300]}"
    expected = list(answers(native, frame).values())
    for want, have in zip(expected, got, strict=True):
        if want.dtype.kind == "f":
            worst = float(np.max(np.abs(want - have.reshape(want.shape)), initial=0))
            if not worst <= TOLERANCE:
                return f"the compiled model's numbers differ by up to {worst:.2g}"
        elif not np.array_equal(want, have.reshape(want.shape).astype(want.dtype)):
            changed = int(np.sum(want != have.reshape(want.shape).astype(want.dtype)))
            return f"the compiled model changes {changed} of {len(want)} labels"
    return ""


def main() -> None:
    """Compiles one model folder."""
    folder, out = Path(sys.argv[1]), Path(sys.argv[2])
    import mlflow.models

    model = mlflow.models.Model.load(str(folder))
    columns = read_schema(model)
    example = example_of(model, folder, columns)
    if "sklearn" in model.flavors:
        import mlflow.sklearn

        native = mlflow.sklearn.load_model(str(folder))
    else:
        import mlflow.pyfunc

        native = mlflow.pyfunc.load_model(str(folder))
    frame = pd.concat([example, generated(example)], ignore_index=True)
    reason = compile_onnx(native, columns, frame, out) if "sklearn" in model.flavors else "not a scikit-learn model"
    logged = answers(native, example.head(SAMPLE_ROWS))
    outputs = describe(logged)
    if not reason and [o["name"] for o in outputs] == ["label", "probabilities"]:
        outputs[1]["dtype"] = "FP32"
    sample = {
        "inputs": tensors(columns, {c["name"]: example.head(SAMPLE_ROWS)[c["name"]] for c in columns}),
        "outputs": tensors(outputs, logged),
    }
    (out / "sample.json").write_text(json.dumps(sample))
    rows = len(frame)
    result = {
        "kind": "native" if reason else "onnx",
        "note": reason or f"compiled to ONNX; labels equal and numbers within 1e-5 on {rows} rows",
        "schema": {"inputs": columns, "outputs": outputs},
    }
    (out / "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
