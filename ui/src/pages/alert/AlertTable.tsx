import { Link } from "wouter";
import { day, figure } from "../../api/format";
import type { Alert } from "../../api/types";
import { Status, Time } from "../../parts/Basics";
import { Table, type Column } from "../../parts/Table";

export function alertTitle(alert: Alert): string {
  if (alert.kind === "quality") return `${alert.feature} fell`;
  return alert.kind === "prediction_drift" ? "The predictions shifted" : `${alert.feature} drifted`;
}

/** How far, in the words of its kind. */
export function alertEffect(alert: Alert): string {
  return alert.kind === "quality" ? `${figure(alert.effect, 3)} worse (limit ${figure(alert.threshold, 3)})` : `PSI ${figure(alert.effect, 3)} (limit ${figure(alert.threshold, 3)})`;
}

export function AlertTable({ rows, withEndpoint = false }: { rows: Alert[]; withEndpoint?: boolean }) {
  const columns: Column<Alert>[] = [
    { key: "what", label: "Alert", title: true, show: (alert) => <Link href={`/alerts/${alert.id}`}>{alertTitle(alert)}</Link> },
    { key: "status", label: "Status", show: (alert) => <Status value={alert.status} /> },
    ...(withEndpoint ? [{ key: "endpoint", label: "Endpoint", show: (alert: Alert) => <Link href={`/endpoints/${encodeURIComponent(alert.endpoint)}?tab=watch`}>{alert.endpoint}</Link> }] : []),
    { key: "effect", label: "Effect", show: alertEffect },
    { key: "windows", label: "Windows", show: (alert) => `${alert.windows}: ${day(alert.start)} to ${day(alert.end)}` },
    { key: "raised", label: "Raised", fixed: true, show: (alert) => <Time value={alert.created} /> },
  ];
  return <Table caption="Alerts, newest first" columns={columns} rows={rows} id={(alert) => alert.id} />;
}
