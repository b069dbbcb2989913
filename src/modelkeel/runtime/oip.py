"""Open Inference Protocol v2, JSON form: requests to columns, columns to answers, metadata.

Specification: https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from modelkeel.core.errors import InvalidInput
from modelkeel.runtime.columns import DECODE_ERRORS, ColumnReader, Columns, accepts, flat
from modelkeel.runtime.params import Parameters
from modelkeel.wire.serving import Column, ModelSchema


class _InTensor(msgspec.Struct):
    name: str
    datatype: str
    shape: list[int]
    data: msgspec.Raw


class _Wanted(msgspec.Struct):
    name: str


class InferRequest(msgspec.Struct):
    """The body of an infer call."""

    inputs: list[_InTensor]
    id: str | None = None
    parameters: Parameters | None = None
    outputs: list[_Wanted] | None = None


class _OutTensor(msgspec.Struct):
    name: str
    datatype: str
    shape: list[int]
    data: list[Any]


class _InferAnswer(msgspec.Struct, omit_defaults=True):
    model_name: str
    model_version: str
    parameters: dict[str, str]
    outputs: list[_OutTensor]
    id: str | None = None


_request_decoder = msgspec.json.Decoder(InferRequest)
_encode = msgspec.json.Encoder().encode


def read_request(body: bytes) -> InferRequest:
    """The request in `body`.

    Raises:
        InvalidInput: the body is not such a request; the message names the field.
    """
    try:
        return _request_decoder.decode(body)
    except DECODE_ERRORS as error:
        raise InvalidInput(f"The body is not an inference request: {error}.") from error


class InputReader:
    """Reads the tensors of a request into columns in the schema's order.

    Args:
        schema: the model's schema.
    """

    __slots__ = ("_index", "_names", "_readers")

    def __init__(self, schema: ModelSchema) -> None:
        self._readers = [ColumnReader(column) for column in schema.inputs]
        self._names = [column.name for column in schema.inputs]
        self._index = {column.name: i for i, column in enumerate(schema.inputs)}

    @property
    def readers(self) -> Sequence[ColumnReader]:
        """One reader a column, in the schema's order."""
        return self._readers

    def read(self, request: InferRequest) -> tuple[Columns, int]:
        """The columns and the number of rows.

        Raises:
            InvalidInput: a tensor is missing, unknown, double, or of a wrong type or shape.
        """
        tensors = request.inputs
        if [tensor.name for tensor in tensors] != self._names:
            tensors = self._ordered(tensors)
        rows = tensors[0].shape[0] if tensors[0].shape else 0
        if rows < 1:
            raise InvalidInput(f"Input {tensors[0].name!r}: shape {tensors[0].shape} has no rows.")
        plain = ([rows, 1], [rows])
        columns = []
        for tensor, reader in zip(tensors, self._readers, strict=True):
            column = reader.column
            if tensor.datatype != column.dtype or column.shape or tensor.shape not in plain:
                _check(tensor, column, rows)
            columns.append(reader.decode(tensor.data, rows))
        return columns, rows

    def _ordered(self, tensors: list[_InTensor]) -> list[_InTensor]:
        by_name: dict[str, _InTensor] = {}
        for tensor in tensors:
            if tensor.name not in self._index:
                raise InvalidInput(
                    f"Input {tensor.name!r} is unknown.", hint=f"The model takes {', '.join(map(repr, self._index))}."
                )
            if tensor.name in by_name:
                raise InvalidInput(f"Input {tensor.name!r} is there twice.")
            by_name[tensor.name] = tensor
        missing = [name for name in self._index if name not in by_name]
        if missing:
            raise InvalidInput(f"Input {missing[0]!r} is missing.", hint=f"Missing: {', '.join(map(repr, missing))}.")
        return [by_name[name] for name in self._index]


def _check(tensor: _InTensor, column: Column, rows: int) -> None:
    if tensor.datatype != column.dtype and not accepts(column.dtype, tensor.datatype):
        raise InvalidInput(f"Input {column.name!r} has datatype {tensor.datatype!r}; the model takes {column.dtype}.")
    shape = tensor.shape
    want = [rows, *column.shape]
    if shape != want and (column.shape or shape != [rows, 1]):
        raise InvalidInput(
            f"Input {column.name!r} has shape {shape}; the model takes {want if column.shape else [rows, 1]}.",
            hint="All inputs of a request have the same number of rows.",
        )


def write_answer(
    model: str,
    version: int,
    schema: ModelSchema,
    request: InferRequest,
    outputs: Columns,
    rows: int,
    parameters: dict[str, str],
) -> bytes:
    """The body of the answer.

    Args:
        model: the name under which the caller asked.
        version: the version that answered.
        schema: its schema.
        request: what was asked; its `id` is echoed, its `outputs` select.
        outputs: the columns, in the schema's order.
        rows: how many rows they have.
        parameters: the answer's parameters.

    Raises:
        InvalidInput: an output was asked for that the model doesn't have.
    """
    wanted = None if request.outputs is None else {output.name for output in request.outputs}
    tensors = [
        _OutTensor(
            column.name, column.dtype, [rows, *column.shape], flat(values, column.shape) if column.shape else values
        )
        for column, values in zip(schema.outputs, outputs, strict=True)
        if not wanted or column.name in wanted
    ]
    return _encode(_InferAnswer(model, str(version), parameters, tensors, request.id))


def check_wanted(request: InferRequest, schema: ModelSchema) -> None:
    """Refuses a request for an output that the model doesn't have.

    Raises:
        InvalidInput: there is one.
    """
    if request.outputs:
        have = {column.name for column in schema.outputs}
        for output in request.outputs:
            if output.name not in have:
                raise InvalidInput(
                    f"Output {output.name!r} is unknown.", hint=f"The model gives {', '.join(map(repr, sorted(have)))}."
                )


def metadata(name: str, versions: Sequence[int], platform: str, schema: ModelSchema) -> dict[str, Any]:
    """A model's metadata as the protocol wants it."""

    def tensor(column: Column, trailing: tuple[int, ...]) -> dict[str, Any]:
        return {"name": column.name, "datatype": column.dtype, "shape": [-1, *trailing]}

    return {
        "name": name,
        "versions": [str(version) for version in versions],
        "platform": platform,
        "inputs": [tensor(column, column.shape or (1,)) for column in schema.inputs],
        "outputs": [tensor(column, column.shape) for column in schema.outputs],
    }
