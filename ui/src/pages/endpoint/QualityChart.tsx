import { useMemo } from "react";
import { figure } from "../../api/format";
import type { Alert, Endpoint, Monitor, Window } from "../../api/types";
import { stretch, threshold } from "../../charts/marks";
import { Plot, type Line } from "../../charts/Plot";
import { Card, Empty } from "../../parts/Basics";
import { colourOf } from "./Weights";
import { startOf, stretches } from "./series";

/** The judged metric of every revision, window by window, with its confidence interval. */
export function QualityChart({ windows, alerts, monitor, endpoint }: { windows: Window[]; alerts: Alert[]; monitor: Monitor; endpoint: Endpoint }) {
  const metric = monitor.config.quality?.metric ?? "auc";
  const { x, lines, bands, bar } = useMemo(() => shape(windows, metric, endpoint), [windows, metric, endpoint]);
  const marked = stretches(alerts, ["quality"]);
  return (
    <Card title={`Quality: ${metric}`} note="On the labelled rows of each window, with a 95 % confidence interval. Tinted: windows of an alert. Labels come late, so the newest windows fill up with time.">
      {lines.length === 0 ? (
        <Empty title="No labels yet">Send them to /api/v1/labels, joined by prediction id; quality appears per window.</Empty>
      ) : (
        <Plot
          label={`${metric} by window`}
          time
          x={x}
          lines={lines}
          bands={bands}
          height={240}
          range={[bar, null]}
          draw={(plot) => {
            for (const mark of marked) stretch(plot, mark.from, mark.to, "bad");
            if (bar !== null) threshold(plot, bar, `bar ${figure(bar, 3)}`);
          }}
        />
      )}
    </Card>
  );
}

function shape(windows: Window[], metric: string, endpoint: Endpoint) {
  const revisions = [...new Set(windows.flatMap((window) => window.revisions.map((revision) => revision.revision)))];
  const lines: Line[] = [];
  const bands: [number, number][] = [];
  for (const id of revisions) {
    const found = windows.map((window) => window.revisions.find((revision) => revision.revision === id));
    const estimates = found.map((revision) => (revision ? (revision.quality as Record<string, { value: number; low: number; high: number }>)[metric] : undefined));
    if (!estimates.some(Boolean)) continue;
    const one = found.find(Boolean);
    const colour = colourOf(endpoint, id);
    const pick = (key: "value" | "low" | "high") => estimates.map((estimate) => (estimate && Number.isFinite(estimate[key]) ? estimate[key] : null));
    const label = `${one?.model} ${one?.version}${found.every((revision) => !revision || revision.variant === "shadow") ? " (shadow)" : ""}`;
    lines.push({ label, colour, values: pick("value"), points: true, width: 2 });
    lines.push({ label: "high", colour, values: pick("high"), points: false, width: 0.5, edge: true });
    lines.push({ label: "low", colour, values: pick("low"), points: false, width: 0.5, edge: true });
    bands.push([lines.length - 1, lines.length]);
  }
  const judged = windows.flatMap((window) => window.revisions.map((revision) => revision.judged?.bar ?? null)).filter((value) => value !== null);
  return { x: windows.map(startOf), lines, bands, bar: judged.at(-1) ?? null };
}
