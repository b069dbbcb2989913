import { Link } from "wouter";
import { fullTime } from "../api/format";
import { useGet } from "../api/hooks";
import type { Incident as IncidentData } from "../api/types";
import { Activity } from "../parts/Activity";
import { Card, Facts, Failure, Skeleton, Status } from "../parts/Basics";
import { Page } from "../parts/Page";
import { AlertTable } from "./alert/AlertTable";

const CRUMBS = [{ label: "Alerts", to: "/alerts" }];

/** An incident: its alerts, what they started, and the ledger's account of it. */
export function Incident({ id }: { id: string }) {
  const query = useGet<IncidentData>(`/api/v1/incidents/${id}`, { every: 5000 });
  const incident = query.data;
  if (!incident) {
    return (
      <Page title="Incident" crumbs={CRUMBS}>
        {query.error ? <Failure error={query.error} /> : <Skeleton rows={6} />}
      </Page>
    );
  }
  return (
    <Page title={`Incident at ${incident.endpoint}`} about={<Status value={incident.closed ? "closed" : "open"} />} crumbs={CRUMBS}>
      <Card title="About">
        <Facts
          items={[
            ["Endpoint", <Link key="e" href={`/endpoints/${encodeURIComponent(incident.endpoint)}?tab=watch`}>{incident.endpoint}</Link>],
            ["Opened", fullTime(incident.opened)],
            ["Closed", incident.closed ? fullTime(incident.closed) : "not yet"],
            ["How it ended", incident.resolution],
            ...incident.actions.map((action): [string, React.ReactNode] => [
              action.kind,
              <span key={action.id} className="row">
                {action.target} <Status value={action.status} /> {action.run && <Link href={`/pipelines/${action.run}`}>run {action.run.slice(0, 8)}</Link>} {action.error && <span className="muted">{action.error}</span>}
              </span>,
            ]),
          ]}
        />
      </Card>
      <Card title="Alerts" flush>
        <AlertTable rows={incident.alerts} />
      </Card>
      <Card title="Timeline" flush>
        <Activity entries={incident.timeline.map((moment) => ({ ...moment, workspace: "" }))} />
      </Card>
    </Page>
  );
}
