import { seconds } from "../../api/format";
import type { PipelineRun, StepRun } from "../../api/types";
import { Graph } from "../../charts/Graph";
import type { GraphEdge, GraphNode } from "../../charts/layout";
import { Empty } from "../../parts/Basics";

/** The steps as boxes, with what travels between them as lines. */
export function StepGraph({ run }: { run: PipelineRun }) {
  if (run.steps.length === 0) return <Empty title="No step has started yet" />;
  const nodes: GraphNode[] = run.steps.map((step) => ({
    id: String(step.index),
    label: step.name,
    sub: timing(step),
    tone: tone(step),
    to: `/pipelines/${run.run_id}?step=${step.index}`,
    title: `${step.name}: ${step.status}${step.error ? `\n${step.error}` : ""}`,
  }));
  const outside = run.edges.filter((edge) => edge.source < 0);
  const sources = new Map(outside.filter((edge) => run.data.some((data) => data.value.digest === edge.digest)).map((edge) => [edge.digest, edge]));
  for (const [digest, edge] of sources) {
    const data = run.data.find((one) => one.value.digest === digest);
    nodes.unshift({ id: `data:${digest}`, label: data?.name ?? edge.name, sub: `data ${digest.slice(0, 10)}` });
  }
  const edges: GraphEdge[] = run.edges.flatMap((edge) => {
    const from = edge.source >= 0 ? String(edge.source) : sources.has(edge.digest) ? `data:${edge.digest}` : null;
    return from === null ? [] : [{ from, to: String(edge.target), label: `${edge.name}: ${edge.kind} ${edge.digest.slice(0, 10)}` }];
  });
  return <Graph label="Steps of the pipeline" nodes={nodes} edges={edges} />;
}

function tone(step: StepRun): string {
  if (step.cached) return "info";
  return { finished: "ok", failed: "bad", running: "accent", waiting: "warn" }[step.status] ?? "";
}

function timing(step: StepRun): string {
  if (step.cached) return `cached, saved ${seconds(step.saved_seconds)}`;
  if (step.status === "running") return "running…";
  if (step.status === "waiting") return "waits for an approval";
  return step.status === "failed" ? `failed after ${seconds(step.seconds)}` : `ran ${seconds(step.seconds)}`;
}
