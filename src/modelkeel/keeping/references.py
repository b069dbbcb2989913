"""Every column that names blobs, by slice, and every column that looks as if it did and does not.

Content is removed when nothing refers to it, so what is missing here is lost. A test fails where a table has a column
of digests that stands in neither list: add it to one of them.
"""

import re
from collections.abc import Iterator, Set
from enum import StrEnum

import msgspec
import sqlalchemy as sa

from modelkeel.storage.schema import metadata
from modelkeel.storage.transaction import Tx

_DIGEST = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_PAGE = 5_000


class Holds(StrEnum):
    """What a column holds."""

    DIGEST = "digest"
    TEXT = "text"


class Reference(msgspec.Struct, frozen=True):
    """One column.

    Attributes:
        column: `table.column`.
        holds: one digest, or text in which digests stand; every one in it counts.
        owner: the column that names the run or logged model with which the reference goes; empty: it stays.
    """

    column: str
    holds: Holds = Holds.DIGEST
    owner: str = ""

    def digests(self, tx: Tx, gone: Set[str]) -> Iterator[bytes]:
        """What it refers to, each as 32 bytes, without what goes with `gone`."""
        name, _, column = self.column.partition(".")
        table = metadata.tables[name]
        wanted = [table.c[column]] + ([table.c[self.owner]] if self.owner else [])
        query = sa.select(*wanted).where(table.c[column].is_not(None))
        for row in tx.conn.execute(query.execution_options(yield_per=_PAGE)):
            if self.owner and row[1] in gone:
                continue
            text = row[0] if isinstance(row[0], bytes) else str(row[0]).encode()
            if self.holds is Holds.DIGEST:
                yield bytes.fromhex(text.decode())
            else:
                yield from (bytes.fromhex(found.decode()) for found in _DIGEST.findall(text))


REFERENCES: dict[str, tuple[Reference, ...]] = {
    "tracking": (
        Reference("artifact.digest", owner="owner"),
        Reference("upload_part.chunks", Holds.TEXT),
    ),
    "pipelines": (
        Reference("pipeline_run.snapshot", owner="run_id"),
        Reference("pipeline_run.capture", Holds.TEXT, owner="run_id"),
        Reference("step_run.output", Holds.TEXT, owner="run_id"),
        Reference("step_run.inputs", Holds.TEXT, owner="run_id"),
        Reference("step_run.log", owner="run_id"),
        Reference("step_cache.output", Holds.TEXT, owner="run_id"),
        Reference("dataset_version.value", Holds.TEXT),
    ),
    "monitoring": (
        Reference("prediction_segment.digest"),
        Reference("label_segment.digest"),
        Reference("monitor.config", Holds.TEXT),
        Reference("monitor_reference.source", Holds.TEXT),
    ),
}
NO_BLOBS = {
    "alert.evidence": "numbers of a window",
    "assessment.content": "the assessment itself",
    "blob_condemned.digest": "the collector's own mark",
    "evaluation_dataset.digest": "of its records, which lie in the database",
    "evaluation_record.content": "examples and what is expected of them; they name traces, no content",
    "evaluation_record.content_key": "of the record beside it",
    "small_blob.content": "content itself, before it moves",
    "small_blob.digest": "names the content beside it",
    "blob_holding.digest": "who may ask for a blob, not who needs it; forgotten with the blob",
    "code_snapshot.digest": "goes with the last pipeline run of its snapshot",
    "dataset_version.digest": "of the value beside it",
    "dataset_version.profile": "names of columns, and statistics",
    "dataset_input.digest": "the user's own, of data that is elsewhere",
    "dataset_input.profile": "text that the user logged",
    "frozen_tree.digest": "of a tree, whose files are artifacts",
    "gate_policy.digest": "of the body beside it",
    "gate_policy_head.digest": "of a policy",
    "label_inbox.payload": "rows on their way",
    "logged_model_metric.dataset_digest": "the user's own, of data that is elsewhere",
    "metric_segment.content": "points themselves",
    "model_version.digest": "of a tree, whose files are artifacts",
    "monitor.digest": "of the configuration beside it",
    "monitor_reference.profile": "numbers themselves",
    "monitor_window_labels.payload": "numbers themselves",
    "price.digest": "of the body beside it",
    "promotion.champion_digest": "of a tree",
    "promotion.evidence": "digest of facts that stand beside it",
    "promotion.version_digest": "of a tree",
    "revision.digest": "of a tree",
    "revision.prepared": "files of the serving folder, made again where they are missing",
    "spool_file.digest": "of a file that was collected",
    "trace_span.content": "the span itself",
}


def referenced(tx: Tx, gone: Set[str] = frozenset()) -> set[bytes]:
    """The digests of all blobs that something refers to.

    Args:
        tx: one snapshot of everything.
        gone: ids of runs and logged models that count as removed already.
    """
    return {digest for some in REFERENCES.values() for one in some for digest in one.digests(tx, gone)}
