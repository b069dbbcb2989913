"""A model that compiled to ONNX, inside this process: one thread, nothing but arrays in and out."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from modelkeel.core.errors import InvalidInput, KeelError, Refused
from modelkeel.runtime.columns import Array, Columns, array
from modelkeel.wire.serving import Column, ModelSchema

INLINE_SECONDS = 0.005
_TYPES: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int8)": np.int8,
    "tensor(int16)": np.int16,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(uint8)": np.uint8,
    "tensor(uint16)": np.uint16,
    "tensor(uint32)": np.uint32,
    "tensor(uint64)": np.uint64,
    "tensor(bool)": np.bool_,
    "tensor(string)": np.object_,
}
_MODEL_ERRORS = (ort_errors.InvalidArgument, ort_errors.Fail, ort_errors.RuntimeException)


class OnnxModel:
    """A session and the way from columns to its inputs and back.

    Args:
        path: the ONNX file.
        schema: the columns that callers see; graph inputs have the same names.

    Raises:
        Refused: the file can't be loaded, or doesn't fit the schema.
    """

    platform = "onnxruntime_onnx"

    def __init__(self, path: Path, schema: ModelSchema) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.use_deterministic_compute = True
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise Refused(f"{path.name} is not a loadable ONNX model.", reasons=[str(error)[:500]]) from error
        graph = {node.name: node for node in self._session.get_inputs()}
        if set(graph) != {column.name for column in schema.inputs}:
            raise Refused(f"{path.name} takes {sorted(graph)}, its schema says {[c.name for c in schema.inputs]}.")
        self._inputs = [
            (c.name, _dtype(graph[c.name].type, c), _reshape(graph[c.name].shape, c)) for c in schema.inputs
        ]
        given = [node.name for node in self._session.get_outputs()]
        names = [column.name for column in schema.outputs]
        if set(names) <= set(given):
            self._outputs = names
        elif len(given) == len(names):
            self._outputs = given  # the compiler kept the graph's own names: same order
        else:
            raise Refused(f"{path.name} gives {given}, its schema says {names}.")
        self._shapes = [column.shape for column in schema.outputs]
        self._row_seconds = 0.0
        self._pool_turn = asyncio.Lock()

    def inline(self, rows: int) -> bool:
        """Whether a batch of `rows` rows is quick enough to run in the event loop."""
        return rows * self._row_seconds < INLINE_SECONDS

    def run(self, columns: Columns, rows: int) -> Columns:
        """Predicts.

        Raises:
            InvalidInput: the model refused the values.
        """
        start = time.perf_counter()
        feed = {
            name: reshape(array(values, dtype), rows)
            for (name, dtype, reshape), values in zip(self._inputs, columns, strict=True)
        }
        try:
            results = self._session.run(self._outputs, feed)
        except _MODEL_ERRORS as error:
            raise InvalidInput(f"The model can't predict these rows: {str(error)[:300]}") from error
        outputs = [_listed(result, shape, rows) for result, shape in zip(results, self._shapes, strict=True)]
        spent = (time.perf_counter() - start) / rows
        self._row_seconds = spent if not self._row_seconds else 0.9 * self._row_seconds + 0.1 * spent
        return outputs

    async def predict(self, columns: Columns, rows: int) -> Columns:
        """Predicts in a thread, for batches that would hold up the event loop."""
        async with self._pool_turn:
            return await asyncio.get_running_loop().run_in_executor(None, self.run, columns, rows)

    async def close(self) -> None:
        """Nothing to do: the session goes with its last reference."""


def _dtype(graph_type: str, column: Column) -> type[np.generic]:
    try:
        return _TYPES[graph_type]
    except KeyError:
        raise Refused(f"Input {column.name!r} of the graph is a {graph_type}, which can't be served.") from None


def _reshape(graph_shape: list[Any], column: Column) -> Callable[[Array, int], Array]:
    if column.shape or len(graph_shape) == 1:
        return lambda values, _rows: values
    return lambda values, rows: values.reshape(rows, 1)


def _listed(result: Any, shape: tuple[int, ...], rows: int) -> list[Any]:
    if not isinstance(result, np.ndarray):
        raise KeelError("An output of the graph is not a tensor.", hint="Compile it with zipmap off.")
    values: list[Any] = result.reshape(result.shape[0], *shape).tolist() if result.shape else [result.item()]
    if len(values) != rows:
        raise KeelError(f"The model gave {len(values)} rows for {rows}.")
    return values
