"""Every column that could name content is judged: it does, or it does not."""

import re

import sqlalchemy as sa

import modelkeel.app  # noqa: F401 - every slice defines its tables
from modelkeel.keeping.references import NO_BLOBS, REFERENCES
from modelkeel.storage.schema import metadata

SUSPECT = re.compile(r"digest|blob|snapshot|chunk|output|capture|content|payload|prepared|profile|evidence")
NAMED = {reference.column for some in REFERENCES.values() for reference in some}


def _columns() -> set[str]:
    return {f"{table.name}.{column.name}" for table in metadata.sorted_tables for column in table.columns}


def test_every_column_that_may_name_content_stands_in_one_of_the_lists() -> None:
    suspects = {
        f"{table.name}.{column.name}"
        for table in metadata.sorted_tables
        for column in table.columns
        if SUSPECT.search(column.name) and isinstance(column.type, sa.Text | sa.LargeBinary)
    }
    forgotten = suspects - NAMED - set(NO_BLOBS)
    assert forgotten == set(), (
        "Content that only these columns name would be removed. Add each to REFERENCES of "
        "src/modelkeel/keeping/references.py, or to NO_BLOBS with the reason why it names none."
    )


def test_the_lists_name_only_what_is_there_and_nothing_twice() -> None:
    assert (NAMED | set(NO_BLOBS)) <= _columns()
    assert not NAMED & set(NO_BLOBS)
