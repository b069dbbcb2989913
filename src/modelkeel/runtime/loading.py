"""Loading a revision: read, warm, verify against its logged sample. What differs is refused and named."""

import asyncio
import math
from pathlib import Path
from typing import Any, Protocol

import msgspec

from modelkeel.core.errors import InvalidInput, KeelError, Refused
from modelkeel.core.hashing import sha256_file
from modelkeel.core.paths import resolve
from modelkeel.runtime.columns import DECODE_ERRORS, ColumnReader, Columns
from modelkeel.runtime.native_model import NativeModel
from modelkeel.runtime.onnx_model import OnnxModel
from modelkeel.wire.serving import Column, Revision, Sample, Tensor

TOLERANCE = 1e-5


class Model(Protocol):
    """A loaded model; `run` is for batches that `inline` allows, `predict` for all others."""

    platform: str

    def inline(self, rows: int) -> bool: ...
    def run(self, columns: Columns, rows: int) -> Columns: ...
    async def predict(self, columns: Columns, rows: int) -> Columns: ...
    async def close(self) -> None: ...


async def load(revision: Revision, folder: Path) -> Model:
    """Loads, warms and verifies a revision.

    Args:
        revision: what to load.
        folder: the serving folder, to which its paths are relative.

    Raises:
        Refused: it can't be loaded, or its answers differ from the logged ones; the reasons say where.
    """
    path = contained(folder, revision.path)
    model: Model
    if revision.kind == "onnx":
        await asyncio.to_thread(_check_digest, path, revision.digest)
        model = await asyncio.to_thread(OnnxModel, path, revision.schema)
    else:
        native = NativeModel(revision, path)
        await native.start()
        model = native
    try:
        if revision.sample:
            await _verify(model, revision, contained(folder, revision.sample))
    except BaseException:
        await model.close()
        raise
    return model


def contained(folder: Path, relative: str) -> Path:
    """`relative` inside `folder`.

    Raises:
        Refused: it leads outside, or there is nothing.
    """
    try:
        path = resolve(folder, relative)
    except InvalidInput as error:
        raise Refused(str(error)) from error
    if not path.exists():
        raise Refused(f"{relative!r} is not in the serving folder.")
    return path


def _check_digest(path: Path, digest: str) -> None:
    if digest and sha256_file(path) != digest:
        raise Refused(f"{path.name} is not the file that was registered: its SHA-256 differs.")


async def _verify(model: Model, revision: Revision, path: Path) -> None:
    try:
        sample = msgspec.json.decode(await asyncio.to_thread(path.read_bytes), type=Sample)
    except DECODE_ERRORS as error:
        raise Refused(f"The sample {path.name} can't be read: {error}.") from error
    inputs = {tensor.name: tensor for tensor in sample.inputs}
    missing = [column.name for column in revision.schema.inputs if column.name not in inputs]
    if missing or not sample.inputs:
        raise Refused(f"The sample {path.name} lacks the inputs {missing}.")
    rows = sample.inputs[0].shape[0] if sample.inputs[0].shape else 0
    try:
        columns = [ColumnReader(c).convert(inputs[c.name].data, rows) for c in revision.schema.inputs]
        outputs = await model.predict(columns, rows)
    except (KeelError, NotImplementedError) as error:
        raise Refused(f"Revision {revision.id} fails on its logged sample.", reasons=[str(error)]) from error
    expected = {tensor.name: tensor for tensor in sample.outputs}
    reasons = [
        reason
        for column, values in zip(revision.schema.outputs, outputs, strict=True)
        if column.name in expected and (reason := difference(column, expected[column.name], values))
    ]
    if reasons:
        raise Refused(f"Revision {revision.id} does not answer its logged sample as logged.", reasons=reasons)


def difference(column: Column, expected: Tensor, values: list[Any]) -> str:
    """How `values` differ from a logged output, in one sentence; empty if they agree.

    Floating-point values agree within 1e-5, all others exactly; NaN agrees with NaN (null in the sample).
    """
    rows = expected.shape[0] if expected.shape else 0
    try:
        want = ColumnReader(column).convert(expected.data, rows)
    except InvalidInput as error:
        return f"{column.name}: the sample is malformed: {error}"
    if len(values) != rows:
        return f"{column.name}: {rows} rows are logged, the model gave {len(values)}."
    wrong = [i for i in range(rows) if not _agree(want[i], values[i])]
    if not wrong:
        return ""
    first = wrong[0]
    return (
        f"{column.name}: {len(wrong)} of {rows} rows differ; row {first} was logged as {want[first]!r}, "
        f"the model gave {values[first]!r}."
    )


def _agree(want: Any, got: Any) -> bool:
    if isinstance(want, list):
        return isinstance(got, list) and len(want) == len(got) and all(map(_agree, want, got))
    if want is None or (isinstance(want, float) and math.isnan(want)):
        return isinstance(got, float) and math.isnan(got)
    if isinstance(want, float):
        return isinstance(got, int | float) and (want == got or abs(want - got) <= TOLERANCE)
    return bool(want == got)
