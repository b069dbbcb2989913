import { figure } from "../../api/format";
import type { MetricPoint, Run } from "../../api/mlflow";
import { CompareTable } from "./CompareTable";
import { metricNames } from "./rows";

/** The last value of every metric, and how far it is from the first run's. */
export function MetricTable({ runs, only }: { runs: Run[]; only: boolean }) {
  const each = runs.map((run) => new Map((run.data.metrics ?? []).map((metric): [string, MetricPoint["value"]] => [metric.key, metric.value])));
  const rows = metricNames(runs).map((name) => {
    const values = each.map((known) => known.get(name));
    return { name, differs: new Set(values).size > 1, cells: values.map((value, at) => value !== undefined && <Value key={at} value={value} base={at === 0 ? undefined : values[0]} />) };
  });
  const shown = rows.filter((row) => row.differs || !only).map((row) => ({ ...row, cells: row.cells.map((cell) => cell || undefined) }));
  if (shown.length === 0) return <p className="card-body muted small">{rows.length ? "No metric differs." : "These runs logged no metrics."}</p>;
  return <CompareTable caption="Metrics" runs={runs} rows={shown} number />;
}

function Value({ value, base }: { value: number | string; base: number | string | undefined }) {
  const change = typeof value === "number" && typeof base === "number" ? value - base : null;
  return (
    <>
      {figure(value, 6)}
      {change !== null && change !== 0 && (
        <div className="tiny muted">
          {change > 0 ? "+" : "−"}
          {figure(Math.abs(change), 3)}
        </div>
      )}
    </>
  );
}
