import { count, day, figure, percent } from "../../api/format";
import type { Monitor, RevisionWindow, Window } from "../../api/types";
import { Badge, Card } from "../../parts/Basics";
import { Table, type Column } from "../../parts/Table";

interface Row {
  window: Window;
  revision: RevisionWindow;
}

/** Each window's numbers, for those who read rather than look. */
export function WindowTable({ windows, monitor }: { windows: Window[]; monitor: Monitor }) {
  const metric = monitor.config.quality?.metric ?? "auc";
  const rows: Row[] = [...windows].reverse().flatMap((window) => window.revisions.map((revision) => ({ window, revision })));
  const quality = (row: Row) => (row.revision.quality as Record<string, { value: number }>)[metric]?.value;
  const columns: Column<Row>[] = [
    { key: "window", label: "Window", title: true, fixed: true, show: ({ window }) => day(window.start) },
    { key: "state", label: "State", show: ({ window }) => <Badge tone={window.closed ? "" : "info"}>{window.closed ? "Closed" : "Open"}</Badge> },
    { key: "revision", label: "Version", show: ({ revision }) => `${revision.model} ${revision.version}${revision.variant === "shadow" ? " (shadow)" : ""}` },
    { key: "rows", label: "Rows", number: true, show: ({ revision }) => count(revision.rows) },
    { key: "labels", label: "Labelled", number: true, show: ({ revision }) => percent(revision.coverage, 0) },
    { key: "quality", label: metric, number: true, show: (row) => figure(quality(row), 4) },
    {
      key: "shifted",
      label: "Shifted columns",
      show: ({ revision }) => {
        const shifted = revision.drift.filter((column) => column.shifted);
        if (!revision.has_reference) return <span className="muted">no reference</span>;
        if (!revision.enough_rows) return <span className="muted">too few rows</span>;
        return shifted.length ? shifted.map((column) => `${column.column} (${figure(column.psi, 2)})`).join(", ") : "none";
      },
    },
  ];
  return (
    <Card title="Windows" flush>
      <Table caption="Windows, newest first" columns={columns} rows={rows} id={({ window, revision }) => `${window.start}${revision.revision}${revision.variant}`} />
    </Card>
  );
}
