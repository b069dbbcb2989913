import { Link, useSearchParams } from "wouter";
import { useGet } from "../api/hooks";
import { count, percent, seconds } from "../api/format";
import type { RunSummary, Savings } from "../api/types";
import { Badge, Card, Empty, Stat, Status, Time } from "../parts/Basics";
import { Loaded } from "../parts/Loaded";
import { Page } from "../parts/Page";
import { Table, type Column } from "../parts/Table";
import { Triggers } from "./pipeline/Triggers";

const COLUMNS: Column<RunSummary>[] = [
  { key: "pipeline", label: "Pipeline", title: true, show: (run) => <Link href={`/pipelines/${run.run_id}`}>{run.pipeline}</Link> },
  { key: "status", label: "Status", show: (run) => <Status value={run.status} /> },
  { key: "origin", label: "Started by", show: (run) => <span>{run.origin === "user" ? run.user : run.origin === "launch" ? "the server" : "a reproduction"}</span> },
  { key: "steps", label: "Steps", number: true, show: (run) => count(run.steps) },
  { key: "cached", label: "Cached", number: true, show: (run) => (run.cached_steps ? <Badge tone="info">{run.cached_steps}</Badge> : "0") },
  { key: "seconds", label: "Took", number: true, show: (run) => seconds(run.seconds) },
  { key: "saved", label: "Saved", number: true, show: (run) => (run.saved_seconds > 0 ? seconds(run.saved_seconds) : "–") },
  { key: "started", label: "Started", fixed: true, show: (run) => <Time value={run.started} /> },
];

export function Pipelines() {
  const [search, setSearch] = useSearchParams();
  const name = search.get("pipeline") ?? "";
  const runs = useGet<RunSummary[]>("/api/v1/pipelines/runs", { query: { limit: 200 }, every: 5000 });
  const names = [...new Set((runs.data ?? []).map((run) => run.pipeline))].sort();
  const shown = (runs.data ?? []).filter((run) => !name || run.pipeline === name);
  return (
    <Page title="Pipelines" about="Runs of pipelines, step by step. A step whose code, inputs, params and environment are unchanged is taken from the cache.">
      <Saved />
      <Triggers />
      <Card flush>
        {names.length > 1 && (
          <div className="toolbar">
            <select className="input" data-filter aria-label="Pipeline" value={name} onChange={(event) => setSearch(event.target.value ? { pipeline: event.target.value } : {})}>
              <option value="">All pipelines</option>
              {names.map((one) => (
                <option key={one}>{one}</option>
              ))}
            </select>
          </div>
        )}
        <Loaded query={runs} rows={6}>
          {() =>
            shown.length ? (
              <Table caption="Pipeline runs" columns={COLUMNS} rows={shown} id={(run) => run.run_id} />
            ) : (
              <Empty title="No pipeline has run yet" code={"@keel.step\ndef train(features): ...\n\n@keel.pipeline\ndef flow(): train(load())\n\n$ modelkeel run pipeline.py"}>
                Turn a script into steps, and run it:
              </Empty>
            )
          }
        </Loaded>
      </Card>
    </Page>
  );
}

function Saved() {
  const savings = useGet<Savings>("/api/v1/pipelines/savings", { every: 10_000 });
  if (!savings.data || savings.data.run_steps + savings.data.cached_steps === 0) return null;
  const { cached_steps, run_steps, saved_seconds, spent_seconds } = savings.data;
  return (
    <div className="stats">
      <Stat label="Steps run" value={count(run_steps)} note={`${seconds(spent_seconds)} of work`} />
      <Stat label="Steps from the cache" value={count(cached_steps)} note={`${percent(cached_steps / (run_steps + cached_steps), 0)} of all steps`} />
      <Stat label="Work spared" value={seconds(saved_seconds)} />
    </div>
  );
}
