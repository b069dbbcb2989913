import { Link, useSearchParams } from "wouter";
import { plural } from "../api/format";
import { useGet } from "../api/hooks";
import type { Alert, Incident } from "../api/types";
import { Badge, Card, Empty, Status, Time } from "../parts/Basics";
import { Loaded } from "../parts/Loaded";
import { Page } from "../parts/Page";
import { Table, type Column } from "../parts/Table";
import { AlertTable } from "./alert/AlertTable";

export function Alerts() {
  const [search, setSearch] = useSearchParams();
  const status = search.get("status") ?? "";
  const alerts = useGet<Alert[]>("/api/v1/alerts", { query: { status }, every: 5000 });
  return (
    <Page title="Alerts" about="Where the data or the quality left the training reference: an effect that matters, evidence against chance, and again in the next window.">
      <Card flush>
        <div className="toolbar">
          <select className="input" data-filter aria-label="Status" value={status} onChange={(event) => setSearch(event.target.value ? { status: event.target.value } : {})}>
            <option value="">All alerts</option>
            <option value="active">Active</option>
            <option value="open">Open</option>
            <option value="acknowledged">Acknowledged</option>
            <option value="resolved">Resolved</option>
          </select>
        </div>
        <Loaded query={alerts}>
          {(rows) => (rows.length ? <AlertTable rows={rows} withEndpoint /> : <Empty title={status ? "No alert is in this state" : "No alerts"}>{status ? "" : "Watched endpoints show here when their data or quality changes."}</Empty>)}
        </Loaded>
      </Card>
      <Incidents />
    </Page>
  );
}

const COLUMNS: Column<Incident>[] = [
  { key: "opened", label: "Opened", title: true, show: (row) => <Link href={`/alerts/incidents/${row.id}`}>{row.endpoint}, <Time value={row.opened} /></Link> },
  { key: "state", label: "State", show: (row) => <Status value={row.closed ? "closed" : "open"} /> },
  { key: "alerts", label: "Alerts", show: (row) => plural(row.alerts.length, "alert") },
  { key: "actions", label: "Actions", show: (row) => row.actions.map((action) => <Badge key={action.id} plain>{action.kind} {action.target}</Badge>) },
  { key: "end", label: "How it ended", show: (row) => <span className="muted wrap">{row.resolution ?? "–"}</span> },
];

function Incidents() {
  const incidents = useGet<Incident[]>("/api/v1/incidents", { every: 5000 });
  if (!incidents.data?.length) return null;
  return (
    <Card title="Incidents" flush note="What belongs together, from the first alert to the measured recovery.">
      <Table caption="Incidents" columns={COLUMNS} rows={incidents.data} id={(row) => row.id} />
    </Card>
  );
}
