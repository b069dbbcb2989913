"""Use cases of the measurements of a run: batches of metrics and params. How series are read is in `reading`."""

from collections.abc import Sequence

from modelkeel.core.access import Principal
from modelkeel.core.errors import InvalidInput
from modelkeel.storage.transaction import Tx
from modelkeel.tracking import rules, store
from modelkeel.tracking.models import Metric
from modelkeel.tracking.runs import Runs


class Metrics(Runs):
    """Write series."""

    async def log_batch(
        self,
        principal: Principal,
        run_id: str,
        metrics: Sequence[Metric] = (),
        params: dict[str, str] | None = None,
        tags: dict[str, str] | None = None,
    ) -> None:
        """Stores metrics, params and tags of a run, all or none.

        Metrics and params are measurements: the run's seal covers them. Tags are recorded in one entry.

        Raises:
            InvalidInput: a limit is exceeded, or a param has another value already.
        """
        self._may_track(principal, "runs")
        params, tags = params or {}, tags or {}
        rules.check_batch(len(metrics), len(params), len(tags))
        rules.check_metrics(metrics)
        for at, (key, value) in enumerate(params.items()):
            rules.check_param(key, value, f"params[{at}]")
        for at, (key, value) in enumerate(tags.items()):
            rules.check_tag(key, value, f"tags[{at}]")

        def work(tx: Tx) -> None:
            row = self._writable_run(tx, principal, run_id)
            if metrics:
                store.metrics.gather(tx, self._keys).add(tx, row.seq, principal.workspace, metrics)
                if any(metric.model_id for metric in metrics):
                    store.metrics.add_model_points(tx, run_id, metrics)
            added = self._add_params(tx, run_id, row.seq, params) if params else 0
            if tags:
                self._tag(tx, principal, run_id, row, tags)
            if metrics or added:
                self._wrote(tx, row)

        await self._db.write(work)

    def _add_params(self, tx: Tx, run_id: str, seq: int, params: dict[str, str]) -> int:
        held = store.runs.params_of(tx, seq, params)
        changed = [
            {"key": key, "old_value": held[key], "new_value": value}
            for key, value in params.items()
            if held.get(key, value) != value
        ]
        if changed:
            raise InvalidInput(
                f"Changing param values is not allowed. Params were already logged='{changed}' for run ID='{run_id}'."
            )
        fresh = {key: value for key, value in params.items() if key not in held}
        if fresh:
            store.runs.add_params(tx, seq, fresh)
        return len(fresh)
