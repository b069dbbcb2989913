import { day, fullTime } from "../../api/format";
import { useGet } from "../../api/hooks";
import type { Alert, Endpoint, Monitor, Window } from "../../api/types";
import { Card, Empty, Facts, Failure, Skeleton } from "../../parts/Basics";
import { DriftChart } from "./DriftChart";
import { EndpointAlerts } from "./EndpointAlerts";
import { QualityChart } from "./QualityChart";
import { WindowTable } from "./WindowTable";

/** Drift and quality of every window against the reference, with what was alerted. */
export function Watch({ endpoint }: { endpoint: Endpoint }) {
  const name = encodeURIComponent(endpoint.name);
  const monitors = useGet<Monitor[]>("/api/v1/monitors", { every: 10_000 });
  const monitor = monitors.data?.find((one) => one.endpoint === endpoint.name);
  const windows = useGet<Window[]>(`/api/v1/monitors/${name}/windows`, { query: { limit: 400 }, every: 5000, enabled: monitor !== undefined });
  const alerts = useGet<Alert[]>("/api/v1/alerts", { query: { endpoint: endpoint.name }, every: 5000 });
  if (monitors.data && !monitor) {
    return (
      <Card>
        <Empty title="Nobody watches this endpoint" code={`[monitors.${endpoint.name}]\nwindow = "7d"\ndrift = { psi = 0.2, min_rows = 1000 }\nquality = { metric = "auc", drop = 0.03 }`}>
          Write a monitor into modelkeel.toml, then run modelkeel apply.
        </Empty>
      </Card>
    );
  }
  if (monitors.error) return <Failure error={monitors.error} />;
  if (!monitor || !windows.data) return <Skeleton rows={8} />;
  const rows = windows.data;
  return (
    <div className="stack">
      {rows.length === 0 ? (
        <Card>
          <Empty title="No window has data yet">Windows are {monitor.config.window ?? "1d"} of event time; the first appears with the first prediction.</Empty>
        </Card>
      ) : (
        <>
          <QualityChart windows={rows} alerts={alerts.data ?? []} monitor={monitor} endpoint={endpoint} />
          <DriftChart windows={rows} alerts={alerts.data ?? []} monitor={monitor} />
          <WindowTable windows={rows} monitor={monitor} />
        </>
      )}
      <EndpointAlerts endpoint={endpoint.name} />
      <Rules monitor={monitor} />
    </div>
  );
}

function Rules({ monitor }: { monitor: Monitor }) {
  const { config } = monitor;
  const { drift, quality, on_alert: reaction } = config;
  return (
    <Card title="Rules">
      <Facts
        items={[
          ["Window", `${config.window ?? "1d"} of event time, ${config.lateness ?? "1h"} allowed lateness`],
          ["Complete up to", monitor.watermark ? fullTime(monitor.watermark) : "no rows yet"],
          ["Drift", drift ? `PSI ≥ ${drift.psi ?? 0.2} in ${drift.persist ?? 2} windows in a row, of ${drift.min_rows ?? 1000} rows or more` : "measured, not judged"],
          ["Quality", quality ? `${quality.metric ?? "auc"} worse by ${quality.drop ?? 0.03} in ${quality.persist ?? 2} windows in a row, of ${quality.min_labels ?? 1000} labels or more` : "measured, not judged"],
          ["On an alert", reaction?.retrain ? `start the pipeline ${reaction.retrain}, then rest ${reaction.cool_down_windows ?? 4} windows` : "nobody is called and nothing is started"],
          ["Set", day(monitor.updated)],
        ]}
      />
    </Card>
  );
}
