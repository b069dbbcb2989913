"""The process of a native model: loads an MLflow model folder in the model's own environment and predicts.

Run by file path, in a sandbox, with nothing of ours installed: it needs only mlflow, the model's packages and
msgspec. Protocol on the inherited socket: length (u32, little endian), then MessagePack. The
first message is `{"model": folder, "schema": …}`; then each `{"columns": [[…], …], "rows": n}` is answered by
`{"outputs": [[…], …]}` or `{"error": text, "caller": whether the rows are to blame}`.
"""

import argparse
import socket
import struct
from typing import Any

import msgspec

_HEAD = struct.Struct("<I")
_CALLERS = ("ValueError", "TypeError", "KeyError", "IndexError", "MlflowException", "OverflowError")
_PANDAS = {
    "BOOL": "bool",
    "INT8": "int8",
    "INT16": "int16",
    "INT32": "int32",
    "INT64": "int64",
    "UINT8": "uint8",
    "UINT16": "uint16",
    "UINT32": "uint32",
    "UINT64": "uint64",
    "FP32": "float32",
    "FP64": "float64",
    "BYTES": "object",
}


class Native:
    """A loaded model and the schema by which it is asked.

    Args:
        folder: the MLflow model.
        schema: `inputs` and `outputs`, each a list of `{name, dtype, shape}`.
    """

    def __init__(self, folder: str, schema: dict[str, Any]) -> None:
        import mlflow.models

        self._inputs = schema["inputs"]
        self._outputs = schema["outputs"]
        self._datetimes: set[str] = set()
        description = mlflow.models.Model.load(folder)
        signed = description.get_input_schema()
        if signed is not None and signed.has_input_names() and not signed.is_tensor_spec():
            self._datetimes = {c.name for c in signed.inputs if str(c.type) in ("datetime", "DataType.datetime")}
        if "sklearn" in description.flavors:
            import mlflow.sklearn

            self._model = mlflow.sklearn.load_model(folder)
        else:
            import mlflow.pyfunc

            self._model = mlflow.pyfunc.load_model(folder)

    def predict(self, columns: list[list[Any]]) -> list[list[Any]]:
        """The outputs as columns, in the schema's order."""
        frame = self._frame(columns)
        answer: dict[str, Any] = {}
        probabilities = [o["name"] for o in self._outputs if o["name"] == "probabilities"]
        rest = [o["name"] for o in self._outputs if o["name"] not in probabilities]
        if probabilities:
            answer["probabilities"] = self._model.predict_proba(frame)
        if rest:
            result = self._model.predict(frame)
            if hasattr(result, "columns") and not isinstance(result, list):
                answer |= (
                    {name: result[name] for name in rest} if set(rest) <= set(result.columns) else {rest[0]: result}
                )
            elif isinstance(result, dict):
                answer |= {name: result[name] for name in rest}
            else:
                answer[rest[0]] = result
        return [_listed(answer[output["name"]], output["shape"]) for output in self._outputs]

    def _frame(self, columns: list[list[Any]]) -> Any:
        import numpy as np

        if len(columns) == 1 and self._inputs[0]["shape"]:
            return np.array(columns[0], dtype=_PANDAS[self._inputs[0]["dtype"]])
        import pandas as pd

        series = {}
        for column, values in zip(self._inputs, columns, strict=True):
            if column["name"] in self._datetimes:
                series[column["name"]] = pd.Series(np.array(values, dtype="int64").view("datetime64[us]"))
            else:
                dtype = _PANDAS[column["dtype"]]
                series[column["name"]] = pd.Series(np.array(values, dtype=dtype), dtype=dtype)
        return pd.DataFrame(series)


def _listed(result: Any, shape: list[int]) -> list[Any]:
    import numpy as np

    values = np.asarray(result)
    listed: list[Any] = values.reshape(values.shape[0], *shape).tolist()
    return listed


def _receive(connection: socket.socket) -> Any:
    head = _exactly(connection, _HEAD.size)
    return None if head is None else msgspec.msgpack.decode(_exactly(connection, _HEAD.unpack(head)[0]) or b"\xc0")


def _exactly(connection: socket.socket, size: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < size:
        part = connection.recv(size - len(parts))
        if not part:
            return None
        parts += part
    return bytes(parts)


def _send(connection: socket.socket, message: dict[str, Any]) -> None:
    payload = msgspec.msgpack.encode(message)
    connection.sendall(_HEAD.pack(len(payload)) + payload)


def serve(connection: socket.socket) -> None:
    """Answers until the runtime is gone."""
    first = _receive(connection)
    if first is None:
        return
    try:
        model = Native(first["model"], first["schema"])
    except Exception as error:  # noqa: BLE001 - whatever a model raises while it loads is the answer
        _send(connection, {"error": f"{type(error).__name__}: {error}"[:2000], "caller": False})
        return
    _send(connection, {"outputs": []})
    while (request := _receive(connection)) is not None:
        try:
            answer: dict[str, Any] = {"outputs": model.predict(request["columns"])}
        except Exception as error:  # noqa: BLE001 - whatever a model raises is the answer
            names = {kind.__name__ for kind in type(error).__mro__}
            answer = {
                "error": f"{type(error).__name__}: {error}"[:2000],
                "caller": any(name in names for name in _CALLERS),
            }
        _send(connection, answer)


def main() -> None:
    """Takes the inherited socket and serves on it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int, required=True)
    arguments = parser.parse_args()
    serve(socket.socket(fileno=arguments.fd))


if __name__ == "__main__":
    main()
