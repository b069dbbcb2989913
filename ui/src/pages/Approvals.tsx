import { Link, useSearchParams } from "wouter";
import { useGet } from "../api/hooks";
import type { Promotion } from "../api/types";
import { Badge, Card, Empty, Status, Time } from "../parts/Basics";
import { Loaded } from "../parts/Loaded";
import { Page } from "../parts/Page";
import { Table, type Column } from "../parts/Table";

const COLUMNS: Column<Promotion>[] = [
  {
    key: "what",
    label: "Promotion",
    title: true,
    show: (row) => (
      <Link href={`/approvals/${row.id}`}>
        {row.model} {row.version} → @{row.alias}
      </Link>
    ),
  },
  { key: "status", label: "Status", show: (row) => <Status value={row.status} /> },
  { key: "gates", label: "Gates", show: (row) => <Gates promotion={row} /> },
  { key: "why", label: "Why not yet", show: (row) => <span className="muted wrap">{row.reasons[0] ?? "–"}</span> },
  { key: "by", label: "Asked by", show: (row) => row.requester },
  { key: "at", label: "When", fixed: true, show: (row) => <Time value={row.requested_at} /> },
];

/** Promotions: those that wait for somebody first. */
export function Approvals() {
  const [search, setSearch] = useSearchParams();
  const status = search.get("status") ?? "";
  const promotions = useGet<Promotion[]>("/api/v1/promotions", { query: { limit: 200, status }, every: 5000 });
  return (
    <Page title="Approvals" about="Every version that asked for a protected alias, what the gates found, and who said what.">
      <Card flush>
        <div className="toolbar">
          <select className="input" data-filter aria-label="Status" value={status} onChange={(event) => setSearch(event.target.value ? { status: event.target.value } : {})}>
            <option value="">All promotions</option>
            <option value="open">Open</option>
            <option value="waiting_approval">Waiting for approval</option>
            <option value="refused">Refused</option>
            <option value="committed">Committed</option>
            <option value="voided">Voided</option>
          </select>
        </div>
        <Loaded query={promotions}>
          {(rows) =>
            rows.length ? (
              <Table caption="Promotions" columns={COLUMNS} rows={waitingFirst(rows)} id={(row) => row.id} />
            ) : (
              <Empty title={status ? "No promotion is in this state" : "Nothing was promoted yet"} code={status ? undefined : "modelkeel promote flights/1 champion"}>
                {status ? "" : "Ask for a version to take an alias; the gates of modelkeel.toml judge it."}
              </Empty>
            )
          }
        </Loaded>
      </Card>
    </Page>
  );
}

export function Gates({ promotion }: { promotion: Promotion }) {
  const of = (verdict: string) => promotion.gates.filter((gate) => gate.verdict === verdict).length;
  return (
    <span className="row">
      {of("passed") > 0 && <Badge tone="ok">{of("passed")} passed</Badge>}
      {of("failed") > 0 && <Badge tone="bad">{of("failed")} failed</Badge>}
      {of("waiting") > 0 && <Badge tone="warn">{of("waiting")} waiting</Badge>}
    </span>
  );
}

function waitingFirst(rows: Promotion[]): Promotion[] {
  const rank = (row: Promotion) => (row.status === "waiting_approval" ? 0 : row.status === "approved" ? 1 : 2);
  return [...rows].sort((a, b) => rank(a) - rank(b) || b.requested_at.localeCompare(a.requested_at));
}
