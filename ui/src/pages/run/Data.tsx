import { useState } from "react";
import { figure } from "../../api/format";
import { pairs, type Run } from "../../api/mlflow";
import { Badge, Card, Copy } from "../../parts/Basics";
import { Table } from "../../parts/Table";

interface Row {
  key: string;
  value: string;
  extra?: string;
}

export function Metrics({ run }: { run: Run }) {
  const rows = (run.data.metrics ?? []).map((metric) => ({ key: metric.key, value: figure(metric.value, 6), extra: String(metric.step ?? 0) }));
  return <Rows title="Metrics" rows={rows} none="This run logged no metrics." numeric extra="Last step" />;
}

export function Params({ run }: { run: Run }) {
  return <Rows title="Params" rows={run.data.params ?? []} none="This run logged no params." />;
}

export function Tags({ run }: { run: Run }) {
  const rows = (run.data.tags ?? []).filter((tag) => !tag.key.startsWith("mlflow.log-model") && tag.key !== "mlflow.runName");
  return rows.length ? <Rows title="Tags" rows={rows} none="" /> : null;
}

function Rows({ title, rows, none, numeric = false, extra }: { title: string; rows: Row[]; none: string; numeric?: boolean; extra?: string }) {
  const [text, setText] = useState("");
  const shown = rows.filter((row) => row.key.toLowerCase().includes(text.toLowerCase())).sort((a, b) => a.key.localeCompare(b.key));
  return (
    <Card title={`${title} · ${rows.length}`} flush>
      {rows.length > 8 && (
        <div className="toolbar">
          <input className="input" data-filter type="search" aria-label={`Filter ${title.toLowerCase()}`} placeholder="Filter by name" value={text} onChange={(event) => setText(event.target.value)} />
        </div>
      )}
      {rows.length === 0 ? (
        <p className="card-body muted small">{none}</p>
      ) : (
        <Table
          caption={title}
          rows={shown}
          id={(row) => row.key}
          columns={[
            { key: "key", label: "Name", show: (row) => <span className="mono wrap">{row.key}</span> },
            { key: "value", label: "Value", number: numeric, show: (row) => <Long value={row.value} /> },
            ...(extra ? [{ key: "extra", label: extra, number: true, show: (row: Row) => row.extra }] : []),
          ]}
        />
      )}
    </Card>
  );
}

function Long({ value }: { value: string }) {
  if (value.length <= 160) return <span className="wrap">{value}</span>;
  return (
    <span className="wrap">
      {value.slice(0, 150)}… <Copy value={value} />
    </span>
  );
}

export function Inputs({ run }: { run: Run }) {
  const inputs = run.inputs?.dataset_inputs ?? [];
  if (inputs.length === 0) return null;
  return (
    <Card title="Data sets read" flush>
      <Table
        caption="Data sets read"
        rows={inputs}
        id={(input) => `${input.dataset.name}${input.dataset.digest}`}
        columns={[
          { key: "name", label: "Name", title: true, show: (input) => <span className="wrap">{input.dataset.name}</span> },
          { key: "for", label: "For", show: (input) => <Badge plain>{pairs(input.tags)["mlflow.data.context"] || "input"}</Badge> },
          { key: "digest", label: "Digest", show: (input) => <span className="mono tiny">{input.dataset.digest}</span> },
          { key: "rows", label: "Size", number: true, show: (input) => size(input.dataset.profile) },
        ]}
      />
    </Card>
  );
}

function size(profile: string | undefined): string {
  try {
    const found = JSON.parse(profile ?? "{}") as Record<string, unknown>;
    return typeof found.num_rows === "number" ? `${found.num_rows.toLocaleString("en-US")} rows` : "–";
  } catch {
    return "–";
  }
}
