"""What somebody may see, as a WHERE clause: lists are filtered in the query, so that pages stay whole."""

from typing import Any

import sqlalchemy as sa

from modelkeel.core.access import Visible


def within(visible: Visible, column: sa.Column[Any]) -> list[sa.ColumnElement[bool]]:
    """The conditions, often none, under which `column` names an object that may be seen.

    Args:
        visible: what may be seen.
        column: holds the object's id. Rows where it is null belong to no object; they count as seen unless only
            named objects are.
    """
    if visible.shown is not None:
        return [column.in_(sorted(visible.shown))]
    if not visible.hidden:
        return []
    return [column.is_(None) | column.not_in(sorted(visible.hidden))]
