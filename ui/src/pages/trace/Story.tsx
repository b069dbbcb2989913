import { Link } from "wouter";
import { bytes, figure, fullTime, money } from "../../api/format";
import type { Trace } from "../../api/types";
import { Graph } from "../../charts/Graph";
import type { GraphEdge, GraphNode } from "../../charts/layout";
import { Card, Facts, Status } from "../../parts/Basics";
import { Entries } from "./ServedAt";

/** A prediction's whole origin, part by part, each with the entries that prove it. */
export function Story({ trace }: { trace: Trace }) {
  const { prediction, revision, origin } = trace;
  const { version, run, pipeline, cost } = origin;
  return (
    <>
      <Card title="From data to this answer" flush>
        <Chain trace={trace} />
      </Card>
      <div className="grid">
        <div className="span-6 stack">
          <Card title="The answer">
            <Facts
              items={[
                ["Said", <code key="o" className="wrap">{JSON.stringify(prediction.outputs)}</code>],
                ["Truth", prediction.label === null || prediction.label === undefined ? "no label yet" : <code key="l">{JSON.stringify(prediction.label)}</code>],
                ["Answered", fullTime(prediction.server_time)],
                ["Event time", fullTime(prediction.event_time)],
                ["Segment", <span key="s" className="mono" title={prediction.segment_digest}>{prediction.segment_digest.slice(0, 16)} row {prediction.leaf}</span>],
                ["Entries", <Entries key="e" indices={prediction.entries} />],
              ]}
            />
          </Card>
          <Card title="What was asked">
            <Facts items={Object.entries(prediction.inputs).map(([name, value]): [string, React.ReactNode] => [name, <span key={name} className="mono">{typeof value === "number" ? figure(value, 6) : JSON.stringify(value)}</span>])} />
          </Card>
        </div>
        <div className="span-6 stack">
          <Card title="Model and approval">
            <Facts
              items={[
                ["Version", <Link key="v" href={`/models/${encodeURIComponent(version.model)}/${version.version}`}>{version.model} {version.version}</Link>],
                ["Digest", <span key="d" className="mono" title={version.digest}>{version.digest.slice(0, 16)}, {bytes(version.size)}</span>],
                ["Registered", `${version.registered_by}, ${fullTime(version.registered_at)}`],
                ["Approved by", origin.approved_by.length ? origin.approved_by.join(", ") : "nobody: its alias asks for no approval"],
                ["Revision", `${revision.number} at ${prediction.endpoint}, runs as ${revision.runs_as || "native"}`],
                ["Deployed", `${revision.deployed_by}, ${fullTime(revision.deployed_at)}`],
                ["Entries", <Entries key="e" indices={[...version.entries, ...revision.entries]} />],
              ]}
            />
          </Card>
          {run && (
            <Card title="Run" actions={<Status value={run.status} />}>
              <Facts
                items={[
                  ["Run", <Link key="r" href={`/runs/${run.id}`}>{run.name || run.id.slice(0, 8)}</Link>],
                  ["By", run.by],
                  ["Started", fullTime(run.started)],
                  ["Seal", run.seal ? <span key="s" className="mono" title={run.seal}>{run.seal.slice(0, 16)}</span> : "not sealed yet"],
                  ["Cost", cost ? money(cost.amount, cost.currency) : ""],
                  ["Entries", <Entries key="e" indices={run.entries} />],
                ]}
              />
            </Card>
          )}
          {pipeline && (
            <Card title="Code, data and environment">
              <Facts
                items={[
                  ["Pipeline", <Link key="p" href={run ? `/pipelines/${run.id}` : "/pipelines"}>{pipeline.pipeline}</Link>],
                  ["Commit", pipeline.snapshot?.commit ? <span key="c" className="mono">{pipeline.snapshot.commit.slice(0, 12)}{pipeline.snapshot.dirty ? " with changes" : ""}</span> : ""],
                  ["Snapshot", pipeline.snapshot ? <span key="s" className="mono">{pipeline.snapshot.digest.slice(0, 16)}</span> : "not captured"],
                  ["Environment", pipeline.environment ? `Python ${pipeline.environment.python}, ${pipeline.environment.packages} locked packages` : "not captured"],
                  ...pipeline.data.map((data): [string, React.ReactNode] => [`data: ${data.name}`, <span key={data.name} className="mono">{data.value.digest.slice(0, 16)}</span>]),
                  ["Seed", String(pipeline.seed)],
                  ["Entries", <Entries key="e" indices={pipeline.entries} />],
                ]}
              />
            </Card>
          )}
        </div>
      </div>
    </>
  );
}

function Chain({ trace }: { trace: Trace }) {
  const { prediction, revision, origin } = trace;
  const { version, run, pipeline } = origin;
  const nodes: GraphNode[] = [];
  const edges: GraphEdge[] = [];
  const into = (node: GraphNode, target: string) => {
    if (!nodes.some((known) => known.id === node.id)) nodes.push(node);
    edges.push({ from: node.id, to: target });
  };
  for (const data of run?.datasets ?? []) into({ id: `data:${data.name}${data.digest}`, label: data.name, sub: `data ${data.digest}` }, "run");
  for (const data of pipeline?.data ?? []) into({ id: `pinned:${data.name}`, label: data.name, sub: `data ${data.value.digest.slice(0, 10)}` }, "run");
  if (pipeline?.snapshot) into({ id: "code", label: pipeline.snapshot.commit ? `commit ${pipeline.snapshot.commit.slice(0, 8)}` : "code", sub: `snapshot ${pipeline.snapshot.digest.slice(0, 10)}` }, "run");
  if (pipeline?.environment) into({ id: "environment", label: `Python ${pipeline.environment.python}`, sub: `${pipeline.environment.packages} locked packages` }, "run");
  if (run) into({ id: "run", label: run.name || "run", sub: pipeline ? `pipeline ${pipeline.pipeline}` : "run", tone: "ok", to: `/runs/${run.id}` }, "version");
  nodes.push({ id: "version", label: `${version.model} ${version.version}`, sub: origin.approved_by.length ? `approved by ${origin.approved_by.join(", ")}` : "model version", tone: "accent", to: `/models/${encodeURIComponent(version.model)}/${version.version}` });
  into({ id: "version", label: "" }, "revision");
  nodes.push({ id: "revision", label: `${prediction.endpoint}, revision ${revision.number}`, sub: revision.runs_as, to: `/endpoints/${encodeURIComponent(prediction.endpoint)}` });
  edges.push({ from: "revision", to: "prediction" });
  nodes.push({ id: "prediction", label: "this prediction", sub: prediction.label === null ? "no label yet" : `truth ${JSON.stringify(prediction.label)}`, tone: "info" });
  return <Graph label="Origin of the prediction" nodes={nodes} edges={edges} />;
}
