import { useState } from "react";
import type { Run } from "../../api/mlflow";
import { MetricChart } from "../../charts/MetricChart";
import { Empty } from "../../parts/Basics";

const PER_PAGE = 12;

export function Charts({ run }: { run: Run }) {
  const [text, setText] = useState("");
  const [shown, setShown] = useState(PER_PAGE);
  // Series first: a metric with a single point needs no chart to be read.
  const all = [...(run.data.metrics ?? [])].sort((a, b) => Number(Number(b.step ?? 0) > 0) - Number(Number(a.step ?? 0) > 0) || a.key.localeCompare(b.key)).map((metric) => metric.key);
  const metrics = all.filter((name) => name.toLowerCase().includes(text.toLowerCase()));
  if (all.length === 0) return <Empty title="This run logged no metrics" code={'mlflow.log_metric("loss", 0.31, step=1)'} />;
  return (
    <div className="stack">
      <input className="input" data-filter type="search" aria-label="Filter metrics" placeholder="Filter metrics by name" value={text} onChange={(event) => setText(event.target.value)} />
      <div className="charts">
        {metrics.slice(0, shown).map((name) => (
          <MetricChart key={name} runId={run.info.run_id} metric={name} live={run.info.status === "RUNNING"} />
        ))}
      </div>
      {metrics.length > shown && (
        <div>
          <button type="button" className="button" onClick={() => setShown(shown + PER_PAGE)}>
            Show {Math.min(PER_PAGE, metrics.length - shown)} more
          </button>
        </div>
      )}
    </div>
  );
}
