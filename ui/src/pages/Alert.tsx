import { useState } from "react";
import { Link } from "wouter";
import { day, figure, fullTime } from "../api/format";
import { useChange, useGet } from "../api/hooks";
import type { Alert as AlertData } from "../api/types";
import { useMe } from "../app/Who";
import { Card, Facts, Failure, Skeleton, Status } from "../parts/Basics";
import { Dialog } from "../parts/Dialog";
import { Page } from "../parts/Page";
import { alertEffect, alertTitle } from "./alert/AlertTable";
import { Evidence } from "./alert/Evidence";

const CRUMBS = [{ label: "Alerts", to: "/alerts" }];

/** One alert with its evidence. */
export function Alert({ id }: { id: string }) {
  const query = useGet<AlertData>(`/api/v1/alerts/${id}`, { every: 5000 });
  const alert = query.data;
  if (!alert) {
    return (
      <Page title="Alert" crumbs={CRUMBS}>
        {query.error ? <Failure error={query.error} /> : <Skeleton rows={6} />}
      </Page>
    );
  }
  return (
    <Page title={alertTitle(alert)} about={<Status value={alert.status} />} crumbs={CRUMBS} actions={<Acknowledge alert={alert} />}>
      <div className="grid">
        <div className="span-7 stack">
          <Evidence alert={alert} />
        </div>
        <div className="span-5 stack">
          <Card title="About">
            <Facts
              items={[
                ["Endpoint", <Link key="e" href={`/endpoints/${encodeURIComponent(alert.endpoint)}?tab=watch`}>{alert.endpoint}</Link>],
                ["Effect", alertEffect(alert)],
                ["Against chance", alert.p === null || alert.p === undefined ? "" : alert.p < 1e-12 ? "p below 1e-12" : `p = ${figure(alert.p, 2)}`],
                ["Windows", `${alert.windows}: ${day(alert.start)} to ${day(alert.end)}`],
                ["Raised", fullTime(alert.created)],
                ["Acknowledged", alert.acknowledged ? `${fullTime(alert.acknowledged)}${alert.note ? `: ${alert.note}` : ""}` : ""],
                ["Resolved", alert.resolved ? `${fullTime(alert.resolved)}: ${alert.resolution ?? ""}` : ""],
                ["Incident", alert.incident ? <Link key="i" href={`/alerts/incidents/${alert.incident}`}>what followed</Link> : ""],
                ["Ledger", <Link key="l" href={`/ledger?about=alert:${alert.id}`}>entries</Link>],
              ]}
            />
          </Card>
        </div>
      </div>
    </Page>
  );
}

function Acknowledge({ alert }: { alert: AlertData }) {
  const me = useMe();
  const [open, setOpen] = useState(false);
  const [note, setNote] = useState("");
  const change = useChange("Acknowledged", () => setOpen(false));
  if (alert.status !== "open" || !me?.permissions.some((permission) => permission === "monitor")) return null;
  return (
    <>
      <button type="button" className="button primary" onClick={() => setOpen(true)}>
        Acknowledge
      </button>
      {open && (
        <Dialog title="You look after this alert" submit="Acknowledge" busy={change.isPending} onSubmit={() => change.mutate({ path: `/api/v1/alerts/${alert.id}/acknowledge`, body: { note } })} onClose={() => setOpen(false)}>
          <label>
            Note (optional)
            <textarea className="input" value={note} onChange={(event) => setNote(event.target.value)} />
          </label>
        </Dialog>
      )}
    </>
  );
}
