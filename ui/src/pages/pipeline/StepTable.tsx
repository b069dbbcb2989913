import { Link } from "wouter";
import { bytes, seconds } from "../../api/format";
import type { PipelineRun, StepRun } from "../../api/types";
import { Status } from "../../parts/Basics";
import { Table, type Column } from "../../parts/Table";

export function StepTable({ run }: { run: PipelineRun }) {
  const columns: Column<StepRun>[] = [
    { key: "name", label: "Step", title: true, show: (step) => <Link href={`/pipelines/${run.run_id}?step=${step.index}`}>{step.name}</Link> },
    { key: "status", label: "Status", show: (step) => <Status value={step.cached ? "cached" : step.status} /> },
    { key: "why", label: "Why it ran", show: (step) => <span className="muted">{whyRan(step) || "–"}</span> },
    { key: "seconds", label: "Took", number: true, show: (step) => (step.cached ? "–" : seconds(step.seconds)) },
    { key: "saved", label: "Saved", number: true, show: (step) => (step.cached ? seconds(step.saved_seconds) : "–") },
    { key: "peak", label: "Peak memory", number: true, show: (step) => (step.peak_bytes ? bytes(step.peak_bytes) : "–") },
    { key: "output", label: "Result", show: (step) => (step.output ? <span className="mono tiny">{`${step.output.kind} ${step.output.digest.slice(0, 10)}`}</span> : "–") },
  ];
  return <Table caption="Steps" columns={columns} rows={run.steps} id={(step) => String(step.index)} />;
}

const PARTS: Record<string, string> = {
  first: "first run of this step",
  code: "code changed",
  inputs: "inputs changed",
  params: "params changed",
  data: "data changed",
  environment: "environment changed",
  python: "Python changed",
  seed: "seed changed",
  content: "its result was not kept",
};

export function whyRan(step: StepRun): string {
  if (step.cached) return "";
  return step.miss.map((reason) => `${PARTS[reason.part] ?? reason.part}${reason.changed?.length ? ` (${reason.changed.slice(0, 3).join(", ")})` : ""}`).join("; ");
}
