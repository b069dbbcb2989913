"""What people, programs and judges say of traces."""

from datetime import UTC, datetime
from typing import Any

from modelkeel.core.access import Principal
from modelkeel.core.errors import InvalidInput, NotFound
from modelkeel.core.ids import uuid7
from modelkeel.storage.transaction import Tx
from modelkeel.traces import store
from modelkeel.traces.base import Base
from modelkeel.traces.models import Assessment, check_assessment

MOST_ASSESSMENTS = 1000
_CHANGEABLE = frozenset({"assessment_name", "feedback", "expectation", "rationale", "metadata", "valid"})


class Assessing(Base):
    """What writes and reads assessments; each change is recorded."""

    async def assess(self, principal: Principal, trace_id: str, content: dict[str, Any]) -> dict[str, Any]:
        """Adds an assessment; one that it overrides counts no more.

        Raises:
            NotFound: no such trace, or none to override.
            InvalidInput: it is malformed, or there are too many.
        """
        self._may_read(principal)
        given = check_assessment(content)
        identity = f"a-{uuid7().replace('-', '')}"

        def work(tx: Tx) -> dict[str, Any]:
            row = self._writable(tx, principal, trace_id)
            if store.assessments.count(tx, row.seq) >= MOST_ASSESSMENTS:
                raise InvalidInput(f"A trace has at most {MOST_ASSESSMENTS} assessments.")
            now = _time(tx.now)
            whole = {"create_time": now, "last_update_time": now, "valid": True, **given.content}
            whole |= {"assessment_id": identity, "trace_id": trace_id}
            old = given.content.get("overrides")
            if old:
                if store.assessments.find(tx, row.seq, str(old)) is None:
                    raise NotFound(f"Assessment with ID '{old}' not found for trace '{trace_id}'.")
                store.assessments.overridden(tx, row.seq, str(old), valid=False)
            store.assessments.put(tx, row.seq, Assessment(identity, given.kind, given.name, whole))
            self._record(tx, principal, "assessment.created", row, identity, {"kind": given.kind}, given.name)
            return whole

        return await self._db.write(work)

    async def assessment(self, principal: Principal, trace_id: str, identity: str) -> dict[str, Any]:
        """One assessment.

        Raises:
            NotFound: no such trace or assessment.
        """
        self._may_read(principal)
        return await self._db.read(lambda tx: self._found(tx, self._row(tx, principal, trace_id), identity))

    async def reassess(
        self, principal: Principal, trace_id: str, identity: str, content: dict[str, Any], fields: list[str]
    ) -> dict[str, Any]:
        """Changes the named fields of an assessment.

        Raises:
            NotFound: no such trace or assessment.
            InvalidInput: a field can't be changed, or is malformed.
        """
        self._may_read(principal)
        wrong = [name for name in fields if name not in _CHANGEABLE]
        if wrong or not fields:
            raise InvalidInput(f"An update names fields out of {sorted(_CHANGEABLE)}, got {wrong or 'none'}.")

        def work(tx: Tx) -> dict[str, Any]:
            row = self._writable(tx, principal, trace_id)
            old = self._found(tx, row, identity)
            for kind in ("feedback", "expectation"):
                if kind in fields and kind not in old:
                    raise InvalidInput(f"Assessment '{identity}' is no {kind}; its kind can't be changed.")
            changed = {name: content[name] for name in fields if name in content}
            whole = {**old, **changed, "last_update_time": _time(tx.now)}
            if isinstance(changed.get("metadata"), dict):
                whole["metadata"] = {**(old.get("metadata") or {}), **changed["metadata"]}
            given = check_assessment(whole)
            store.assessments.put(tx, row.seq, Assessment(identity, given.kind, given.name, whole))
            self._record(tx, principal, "assessment.updated", row, identity, {"fields": sorted(fields)}, given.name)
            return whole

        return await self._db.write(work)

    async def delete_assessment(self, principal: Principal, trace_id: str, identity: str) -> None:
        """Removes an assessment; one that it had overridden counts again.

        Raises:
            NotFound: no such trace or assessment.
        """
        self._may_read(principal)

        def work(tx: Tx) -> None:
            row = self._writable(tx, principal, trace_id)
            old = self._found(tx, row, identity)
            store.assessments.delete(tx, row.seq, identity)
            if old.get("overrides"):
                store.assessments.overridden(tx, row.seq, str(old["overrides"]), valid=True)
            self._record(tx, principal, "assessment.deleted", row, identity, {}, str(old["assessment_name"]))

        await self._db.write(work)

    def _found(self, tx: Tx, row: Any, identity: str) -> dict[str, Any]:
        found = store.assessments.find(tx, row.seq, identity)
        if found is None:
            raise NotFound(f"Assessment with ID '{identity}' not found for trace '{row.id}'.")
        return found

    def _record(
        self, tx: Tx, principal: Principal, kind: str, row: Any, identity: str, data: dict[str, Any], name: str
    ) -> None:
        subject = {"assessment": identity, "trace": row.id, "experiment": row.experiment}
        self._ledger.record(tx, principal, kind, subject, data, {"name": name})


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
