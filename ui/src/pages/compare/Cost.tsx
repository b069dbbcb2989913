import { money } from "../../api/format";
import { useGet } from "../../api/hooks";
import type { Run } from "../../api/mlflow";
import type { RunCost } from "../../api/types";

/** What an ended run cost, at the prices in force. */
export function Cost({ run }: { run: Run }) {
  const ended = Boolean(run.info.end_time);
  const cost = useGet<RunCost>(`/api/v1/costs/runs/${run.info.run_id}`, { enabled: ended });
  if (!ended) return <span className="muted">after its end</span>;
  if (cost.error) return <span className="muted">unknown</span>;
  if (!cost.data) return <span className="muted">…</span>;
  return <span title={cost.data.line.how}>{money(cost.data.line.amount, cost.data.currency)}</span>;
}
