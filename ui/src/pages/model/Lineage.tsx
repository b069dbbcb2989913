import { useGet } from "../../api/hooks";
import { pairs, runName, useRun, type ModelVersion, type Run } from "../../api/mlflow";
import type { Endpoint, PipelineRun, Promotion } from "../../api/types";
import { Graph } from "../../charts/Graph";
import type { GraphEdge, GraphNode } from "../../charts/layout";

/** Data → run → version → alias and endpoints. */
export function Lineage({ version }: { version: ModelVersion }) {
  const runId = version.run_id ?? "";
  const run = useRun(runId, Boolean(runId));
  const pipeline = useGet<PipelineRun>(`/api/v1/pipelines/runs/${runId}`, { enabled: Boolean(pairs(run.data?.data.tags)["modelkeel.pipeline"]) });
  const endpoints = useGet<Endpoint[]>("/api/v1/endpoints", { every: 5000 });
  const promotions = useGet<Promotion[]>("/api/v1/promotions", { query: { model: version.name, version: version.version } });
  const nodes: GraphNode[] = [];
  const edges: GraphEdge[] = [];
  const me = "version";
  if (runId) addRun(nodes, edges, runId, run.data, pipeline.data);
  nodes.push({ id: me, label: `${version.name} ${version.version}`, sub: version.aliases?.length ? version.aliases.map((alias) => `@${alias}`).join(" ") : "model version", tone: "accent" });
  if (runId) edges.push({ from: "run", to: me });
  const promotion = promotions.data?.[0];
  if (promotion) {
    const said = promotion.approvals.filter((approval) => approval.verdict === "approved").map((approval) => approval.name);
    nodes.push({ id: "promotion", label: `@${promotion.alias}`, sub: said.length ? `approved by ${said.join(", ")}` : promotion.status.replaceAll("_", " "), tone: promotion.status === "committed" ? "ok" : promotion.status === "refused" ? "bad" : "warn", to: `/approvals/${promotion.id}` });
    edges.push({ from: me, to: "promotion" });
  }
  addEndpoints(nodes, edges, endpoints.data ?? [], version, promotion ? "promotion" : me, me);
  return <Graph label="Lineage of the version" nodes={nodes} edges={edges} />;
}

function addRun(nodes: GraphNode[], edges: GraphEdge[], id: string, run: Run | undefined, pipeline: PipelineRun | undefined): void {
  for (const input of run?.inputs?.dataset_inputs ?? []) {
    const data = `data:${input.dataset.name}:${input.dataset.digest}`;
    if (nodes.some((node) => node.id === data)) continue;
    nodes.push({ id: data, label: input.dataset.name, sub: `${pairs(input.tags)["mlflow.data.context"] || "data"} ${input.dataset.digest}` });
    edges.push({ from: data, to: "run" });
  }
  for (const data of pipeline?.data ?? []) {
    nodes.push({ id: `pinned:${data.name}`, label: data.name, sub: `data ${data.value.digest.slice(0, 10)}` });
    edges.push({ from: `pinned:${data.name}`, to: "run" });
  }
  if (pipeline?.snapshot) {
    nodes.push({ id: "code", label: pipeline.snapshot.commit ? `commit ${pipeline.snapshot.commit.slice(0, 10)}` : "code snapshot", sub: `snapshot ${pipeline.snapshot.digest.slice(0, 10)}`, to: `/pipelines/${id}` });
    edges.push({ from: "code", to: "run" });
  }
  if (pipeline?.environment) {
    nodes.push({ id: "environment", label: `Python ${pipeline.environment.python}`, sub: `${pipeline.environment.packages} locked packages`, to: `/pipelines/${id}` });
    edges.push({ from: "environment", to: "run" });
  }
  nodes.push({ id: "run", label: run ? runName(run) : id.slice(0, 8), sub: pipeline ? `pipeline ${pipeline.pipeline}` : "run", tone: "ok", to: pipeline ? `/pipelines/${id}` : `/runs/${id}` });
}

function addEndpoints(nodes: GraphNode[], edges: GraphEdge[], endpoints: Endpoint[], version: ModelVersion, active: string, fallback: string): void {
  for (const endpoint of endpoints) {
    const mine = endpoint.revisions.filter((revision) => revision.model === version.name && String(revision.version) === version.version);
    if (mine.length === 0) continue;
    const weight = endpoint.routes.filter((share) => mine.some((revision) => revision.id === share.revision)).reduce((sum, share) => sum + share.weight, 0);
    const shadow = mine.some((revision) => revision.id === endpoint.shadow);
    nodes.push({ id: `endpoint:${endpoint.name}`, label: `endpoint ${endpoint.name}`, sub: weight ? `serves ${Math.round(weight)} %` : shadow ? "in shadow" : (mine.at(-1)?.state ?? ""), tone: weight ? "ok" : "", to: `/endpoints/${encodeURIComponent(endpoint.name)}` });
    edges.push({ from: weight ? active : fallback, to: `endpoint:${endpoint.name}` });
  }
}
