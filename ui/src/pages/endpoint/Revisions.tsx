import { Link } from "wouter";
import type { Endpoint, Revision } from "../../api/types";
import { Badge, Status, Time } from "../../parts/Basics";
import { Table, type Column } from "../../parts/Table";
import { colourOf } from "./Weights";

export function Revisions({ endpoint }: { endpoint: Endpoint }) {
  const weight = (revision: Revision) => endpoint.routes.find((share) => share.revision === revision.id)?.weight ?? 0;
  const columns: Column<Revision>[] = [
    {
      key: "number",
      label: "Revision",
      title: true,
      show: (row) => (
        <span className="legend">
          <span>
            <i className={`fill-${colourOf(endpoint, row.id)}`} /> {row.number}
          </span>
        </span>
      ),
    },
    { key: "version", label: "Model version", show: (row) => <Link href={`/models/${encodeURIComponent(row.model)}/${row.version}`}>{row.model} {row.version}</Link> },
    { key: "state", label: "State", show: (row) => <Status value={row.state} /> },
    { key: "weight", label: "Traffic", number: true, show: (row) => (endpoint.shadow === row.id ? "shadow" : weight(row) ? `${Math.round(weight(row))} %` : "–") },
    { key: "kind", label: "Runs as", show: (row) => (row.kind ? <Badge plain>{row.kind === "onnx" ? "compiled (ONNX)" : row.kind}</Badge> : "–") },
    { key: "note", label: "Note", show: (row) => <span className="muted small wrap">{row.note || "–"}</span> },
    { key: "created", label: "Made", fixed: true, show: (row) => <Time value={row.created} /> },
  ];
  const newest = [...endpoint.revisions].sort((a, b) => b.number - a.number);
  return <Table caption="Revisions" columns={columns} rows={newest} id={(row) => row.id} />;
}
