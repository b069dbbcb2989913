"""What every placing of a thing from elsewhere stands on: where the peer's things are here."""

from collections.abc import Mapping

from modelkeel.core.access import Principal
from modelkeel.core.errors import NotFound
from modelkeel.moving import store
from modelkeel.moving.models import Base, Origin
from modelkeel.storage.transaction import Tx
from modelkeel.traces.service import Traces
from modelkeel.tracking.service import Tracking
from modelkeel.wire import moving as wire


class Ground:
    """Knows the ids that things of one peer have here.

    Args:
        tracking: knows which ids of experiments, runs and logged models are free.
        traces: knows which ids of evaluation data sets are free.
        principal: who imports.
        peer: the source's name for good.
        by: the import's id.
    """

    def __init__(self, tracking: Tracking, traces: Traces, principal: Principal, peer: str, by: str) -> None:
        self._tracking = tracking
        self._traces = traces
        self.principal = principal
        self.peer = peer
        self.by = by

    def origin(self, tx: Tx, kind: str, theirs: str) -> Origin | None:
        """Where a thing of the peer is here."""
        return store.origin(tx, self.principal.workspace, self.peer, kind, theirs)

    def keep(self, tx: Tx, kind: str, theirs: str, origin: Origin) -> None:
        """Notes where a thing of the peer is here."""
        store.set_origin(tx, self.principal.workspace, self.peer, kind, theirs, origin)

    def here(self, tx: Tx, kind: str, theirs: str) -> str:
        """The id that a thing of the peer has, or will have, here."""
        found = self.origin(tx, kind, theirs)
        if found is not None:
            return found.ours
        if kind == "evaluation_dataset":
            ours = self._traces.free_dataset_id(tx, self.principal, theirs)
        else:
            ours = self._tracking.free_id(tx, self.principal, kind, theirs)
        if ours != theirs:
            self.keep(tx, kind, theirs, Origin(ours))  # so that whatever comes first names the same
        return ours

    def experiment_here(self, tx: Tx, theirs: str) -> str:
        """The id that an experiment of the peer has here.

        Raises:
            NotFound: it did not come.
        """
        found = self.origin(tx, "experiment", theirs)
        if found is None:
            raise NotFound(f"Experiment {theirs[:40]} of the source was not sent.")
        return found.ours


def outcome(item: str, theirs: str, ours: str, changed: bool, conflicts: list[str], why: str = "") -> wire.Outcome:
    """What became of a thing that was here already."""
    state = "kept" if conflicts else "changed" if changed else "same"
    return wire.Outcome(item, theirs, ours, state, conflicts, why)  # type: ignore[arg-type]  # one of the three


def fields(tags: Mapping[str, str], **more: str | None) -> Base:
    """Tags and more of a thing, flat."""
    flat: Base = {f"tag:{key}": value for key, value in tags.items()}
    return flat | {key: value for key, value in more.items() if value is not None}


def more(holds: wire.Summary, sent: wire.Summary) -> bool:
    """Whether a thing has at least as much here as at the source: something was added here."""
    return holds != sent and all(
        getattr(holds, name) >= getattr(sent, name)
        for name in ("params", "tags", "points", "files", "spans", "assessments", "links", "records")
    )
