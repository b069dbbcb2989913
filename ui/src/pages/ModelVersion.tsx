import { Link } from "wouter";
import { figure, fullTime } from "../api/format";
import { useGet } from "../api/hooks";
import { millis, useRun, useVersion, type ModelVersion as Version } from "../api/mlflow";
import type { Promotion } from "../api/types";
import { Card, Empty, Facts, Failure, Skeleton, Status, Time } from "../parts/Basics";
import { Loaded } from "../parts/Loaded";
import { Page } from "../parts/Page";
import { Table } from "../parts/Table";
import { Gates } from "./Approvals";
import { Aliases } from "./Model";
import { GateList } from "./approval/GateList";
import { Decide } from "./approval/Decide";
import { Lineage } from "./model/Lineage";
import { SchemaCard } from "./model/SchemaCard";

/** One version: where it comes from, where it goes, and what it had to show. */
export function ModelVersion({ name, version }: { name: string; version: string }) {
  const query = useVersion(name, version);
  const promotions = useGet<Promotion[]>("/api/v1/promotions", { query: { model: name, version }, every: 5000 });
  const crumbs = [
    { label: "Models", to: "/models" },
    { label: name, to: `/models/${encodeURIComponent(name)}` },
  ];
  const data = query.data;
  if (!data) {
    return (
      <Page title={`Version ${version}`} crumbs={crumbs}>
        {query.error ? <Failure error={query.error} /> : <Skeleton rows={8} />}
      </Page>
    );
  }
  const latest = promotions.data?.[0];
  return (
    <Page title={`${name} ${version}`} about={data.aliases?.length ? <Aliases names={data.aliases} /> : data.description} crumbs={crumbs} actions={latest && <Decide promotion={latest} />}>
      <Card title="Lineage" flush note="What it was made from and where it serves. Every box is a link.">
        <Lineage version={data} />
      </Card>
      <div className="grid">
        <div className="span-5 stack">
          <About version={data} />
          <SchemaCard name={name} version={version} />
          {data.run_id && <RunMetrics runId={data.run_id} />}
        </div>
        <div className="span-7 stack">
          <Card title="Gates and approvals" flush actions={latest && <Status value={latest.status} />}>
            {latest ? <GateList gates={latest.gates} /> : <Empty title="It asked for no protected alias yet" code={`modelkeel promote ${name}/${version} champion`} />}
          </Card>
          <Card title="Promotions" flush>
            <Loaded query={promotions}>{(rows) => (rows.length ? <Promotions rows={rows} /> : <Empty title="None" />)}</Loaded>
          </Card>
        </div>
      </div>
    </Page>
  );
}

function About({ version }: { version: Version }) {
  return (
    <Card title="About">
      <Facts
        items={[
          ["Registered", fullTime(millis(version.creation_timestamp) ?? 0)],
          ["By", version.user_id],
          ["Run", version.run_id ? <Link key="r" className="mono" href={`/runs/${version.run_id}`}>{version.run_id.slice(0, 12)}</Link> : "unknown"],
          ["Logged model", version.model_id ? <span key="m" className="mono wrap">{version.model_id}</span> : ""],
          ["Source", <span key="s" className="mono tiny wrap">{version.source}</span>],
          ["Description", version.description],
          ...(version.tags ?? []).map((tag): [string, string] => [tag.key, tag.value]),
          ["Load it", <code key="l" className="wrap">models:/{version.name}/{version.version}</code>],
        ]}
      />
    </Card>
  );
}

function RunMetrics({ runId }: { runId: string }) {
  const run = useRun(runId);
  const metrics = [...(run.data?.data.metrics ?? [])].sort((a, b) => a.key.localeCompare(b.key));
  return (
    <Card title="Metrics of its run" flush>
      {run.error ? (
        <Failure error={run.error} />
      ) : metrics.length ? (
        <Table
          caption="Metrics of the run"
          rows={metrics}
          id={(metric) => metric.key}
          columns={[
            { key: "name", label: "Metric", show: (metric) => <span className="mono wrap">{metric.key}</span> },
            { key: "value", label: "Value", number: true, show: (metric) => figure(metric.value, 5) },
          ]}
        />
      ) : (
        <p className="card-body muted small">The run logged no metrics.</p>
      )}
    </Card>
  );
}

function Promotions({ rows }: { rows: Promotion[] }) {
  return (
    <Table
      caption="Promotions of this version"
      rows={rows}
      id={(row) => row.id}
      columns={[
        { key: "to", label: "To", title: true, show: (row) => <Link href={`/approvals/${row.id}`}>@{row.alias}</Link> },
        { key: "status", label: "Status", show: (row) => <Status value={row.status} /> },
        { key: "gates", label: "Gates", show: (row) => <Gates promotion={row} /> },
        { key: "when", label: "When", fixed: true, show: (row) => <Time value={row.requested_at} /> },
      ]}
    />
  );
}
