"""MLflow's `/invocations`, JSON forms: dataframe_split, dataframe_records, inputs, instances.

Format: https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally/
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from modelkeel.core.errors import InvalidInput
from modelkeel.runtime.columns import DECODE_ERRORS, ColumnReader, Columns
from modelkeel.runtime.params import Parameters


class _Split(msgspec.Struct):
    data: list[list[Any]]
    columns: list[str] | None = None


class Invocation(msgspec.Struct):
    """The body of a call: exactly one of the four forms, and our `parameters`."""

    dataframe_split: _Split | None = None
    dataframe_records: list[dict[str, Any]] | None = None
    inputs: dict[str, Any] | list[Any] | None = None
    instances: dict[str, Any] | list[Any] | None = None
    parameters: Parameters | None = None


_decoder = msgspec.json.Decoder(Invocation)
_encode = msgspec.json.Encoder().encode


def read_invocation(body: bytes) -> Invocation:
    """The call in `body`.

    Raises:
        InvalidInput: it is malformed, or has none or several of the four forms.
    """
    try:
        call = _decoder.decode(body)
    except DECODE_ERRORS as error:
        raise InvalidInput(f"The body is not an invocation: {error}.") from error
    forms = (call.dataframe_split, call.dataframe_records, call.inputs, call.instances)
    if sum(form is not None for form in forms) != 1:
        raise InvalidInput(
            "The body needs exactly one of dataframe_split, dataframe_records, inputs and instances.",
        )
    return call


def read_columns(call: Invocation, readers: Sequence[ColumnReader]) -> tuple[Columns, int]:
    """The call's values as columns in the schema's order, and the number of rows.

    As in MLflow, columns that the model doesn't know are ignored.

    Raises:
        InvalidInput: a column is missing or of a wrong type; the message names it.
    """
    if call.dataframe_split is not None:
        return _from_rows(call.dataframe_split.data, call.dataframe_split.columns, readers, "dataframe_split.data")
    if call.dataframe_records is not None:
        return _from_records(call.dataframe_records, readers, "dataframe_records")
    field, values = ("inputs", call.inputs) if call.inputs is not None else ("instances", call.instances)
    if isinstance(values, dict):
        return _from_columns(values, readers, field)
    if not isinstance(values, list) or not values:
        raise InvalidInput(f"{field} has no rows.")
    if all(isinstance(row, dict) for row in values):
        return _from_records(values, readers, field)
    if len(readers) == 1:
        return _typed([values], readers, len(values))
    return _from_rows(values, None, readers, field)


def _from_rows(
    rows: list[Any], names: list[str] | None, readers: Sequence[ColumnReader], field: str
) -> tuple[Columns, int]:
    width = len(readers) if names is None else len(names)
    for i, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != width:
            raise InvalidInput(f"{field}[{i}] must be an array of {width} values.")
    if not rows:
        raise InvalidInput(f"{field} has no rows.")
    columns = [list(column) for column in zip(*rows, strict=True)]
    if names is None:
        return _typed(columns, readers, len(rows))
    return _from_columns(dict(zip(names, columns, strict=True)), readers, field)


def _from_records(records: list[dict[str, Any]], readers: Sequence[ColumnReader], field: str) -> tuple[Columns, int]:
    if not records:
        raise InvalidInput(f"{field} has no rows.")
    columns = []
    for reader in readers:
        try:
            columns.append([record[reader.name] for record in records])
        except KeyError:
            raise InvalidInput(f"{field}: input {reader.name!r} is missing.") from None
    return _typed(columns, readers, len(records))


def _from_columns(values: dict[str, Any], readers: Sequence[ColumnReader], field: str) -> tuple[Columns, int]:
    columns = []
    for reader in readers:
        if reader.name not in values:
            raise InvalidInput(f"{field}: input {reader.name!r} is missing.")
        column = values[reader.name]
        columns.append(column if isinstance(column, list) else [column])
    if not columns or not columns[0]:
        raise InvalidInput(f"{field} has no rows.")
    return _typed(columns, readers, len(columns[0]))


def _typed(columns: Columns, readers: Sequence[ColumnReader], rows: int) -> tuple[Columns, int]:
    return [reader.convert(column, rows) for reader, column in zip(readers, columns, strict=True)], rows


def write_predictions(outputs: Columns, version: int, prediction_id: str) -> bytes:
    """The answer: the model's first output, as MLflow's server gives it, and our id."""
    return _encode({"predictions": outputs[0], "prediction_id": prediction_id, "model_version": str(version)})
