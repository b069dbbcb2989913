import { useMemo } from "react";
import { figure } from "../../api/format";
import type { Alert, Monitor, Window } from "../../api/types";
import { stretch, threshold } from "../../charts/marks";
import { Plot, type Line } from "../../charts/Plot";
import { Card, Empty } from "../../parts/Basics";
import { furthestColumns, mainOf, startOf, stretches } from "./series";

/** The population stability index of the columns that moved furthest, window by window. */
export function DriftChart({ windows, alerts, monitor }: { windows: Window[]; alerts: Alert[]; monitor: Monitor }) {
  const { x, lines } = useMemo(() => {
    const names = furthestColumns(windows, 6);
    const lines: Line[] = names.map((name, at) => ({
      label: name,
      colour: at + 1,
      points: true,
      values: windows.map((window) => mainOf(window)?.drift.find((column) => column.column === name)?.psi ?? null),
      show: (value) => figure(value, 3),
    }));
    return { x: windows.map(startOf), lines };
  }, [windows]);
  const limit = monitor.config.drift?.psi ?? null;
  const marked = stretches(alerts, ["drift", "prediction_drift"]);
  return (
    <Card title="Drift" note="Population stability index against the training reference; the six columns that moved furthest. Tinted: windows of an alert. A column's own limit can lie above the line where the reference itself varies more.">
      {lines.length === 0 ? (
        <Empty title={windows.some((window) => mainOf(window)?.has_reference) ? "No window has enough rows to judge yet" : "There is no reference to compare with"}>
          {windows.some((window) => mainOf(window)?.has_reference) ? "" : "The run that made the model logged no reference. Log one with keel.reference, or upload one to the monitor."}
        </Empty>
      ) : (
        <Plot
          label="Population stability index by window"
          time
          x={x}
          lines={lines}
          height={240}
          range={[0, limit === null ? null : limit * 1.15]}
          draw={(plot) => {
            for (const mark of marked) stretch(plot, mark.from, mark.to, "warn");
            if (limit !== null) threshold(plot, limit, `limit ${limit}`);
          }}
        />
      )}
    </Card>
  );
}
