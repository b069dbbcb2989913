import { Link } from "wouter";
import { figure, seconds } from "../../api/format";
import { millis, pairs, runName, type Run } from "../../api/mlflow";
import { Status, Time } from "../../parts/Basics";
import type { Column } from "../../parts/Table";

const FIXED: Column<Run>[] = [
  { key: "attributes.run_name", label: "Run", title: true, sortable: true, show: (run) => <Link href={`/runs/${run.info.run_id}`}>{runName(run)}</Link> },
  { key: "attributes.status", label: "Status", sortable: true, fixed: true, show: (run) => <Status value={run.info.status} /> },
  { key: "attributes.start_time", label: "Started", sortable: true, fixed: true, show: (run) => <Time value={millis(run.info.start_time)} /> },
  { key: "duration", label: "Took", number: true, show: (run) => seconds(duration(run)) },
  { key: "attributes.user_id", label: "User", show: (run) => run.info.user_id || "–" },
];

export function duration(run: Run): number | undefined {
  const [start, end] = [millis(run.info.start_time), millis(run.info.end_time)];
  return start && end ? (end - start) / 1000 : undefined;
}

export interface Choices {
  metrics: string[];
  params: string[];
  tags: string[];
}

/** Every metric, param and tag that occurs in the loaded runs. */
export function choicesOf(runs: Run[]): Choices {
  const collect = (names: (run: Run) => string[]) => [...new Set(runs.flatMap(names))].sort();
  return {
    metrics: collect((run) => (run.data.metrics ?? []).map((metric) => metric.key)),
    params: collect((run) => (run.data.params ?? []).map((param) => param.key)),
    tags: collect((run) => (run.data.tags ?? []).map((tag) => tag.key).filter((key) => !key.startsWith("mlflow."))),
  };
}

/** What is shown until somebody chooses: a few metrics, then params that differ between runs. */
export function defaultColumns(runs: Run[], choices: Choices): string[] {
  const differing = choices.params.filter((key) => new Set(runs.map((run) => pairs(run.data.params)[key])).size > 1);
  return [...choices.metrics.slice(0, 4).map((key) => `metrics.${key}`), ...differing.slice(0, 3).map((key) => `params.${key}`)];
}

export function columnsFor(chosen: string[]): Column<Run>[] {
  return [...FIXED, ...chosen.map(columnFor)];
}

function columnFor(name: string): Column<Run> {
  const [kind, key] = [name.slice(0, name.indexOf(".")), name.slice(name.indexOf(".") + 1)];
  const base = { key: `${kind}.\`${key}\``, label: key, sortable: true };
  if (kind === "metrics") return { ...base, number: true, show: (run) => figure(run.data.metrics?.find((metric) => metric.key === key)?.value) };
  return { ...base, show: (run) => <span className="wrap">{pairs(kind === "params" ? run.data.params : run.data.tags)[key] ?? "–"}</span> };
}
