import { day, figure } from "../../api/format";
import type { Alert } from "../../api/types";
import { Card, Empty, Facts } from "../../parts/Basics";
import { Table } from "../../parts/Table";
import { Histogram, type HistogramTable } from "../../charts/Histogram";

interface Reading {
  start: string;
  revision: string;
  effect: number;
  threshold: number;
  bad: boolean;
}

interface Estimate {
  metric: string;
  value: number;
  low: number;
  high: number;
  n: number;
}

interface EvidenceData {
  window?: string;
  series?: Reading[];
  judged?: { current: Estimate; reference: Estimate | null; bar: number | null } | null;
  histogram?: HistogramTable | null;
}

/** What anybody can check the alert by: the signal in each window, and both distributions or estimates. */
export function Evidence({ alert }: { alert: Alert }) {
  const { series, judged, histogram } = alert.evidence as EvidenceData;
  if (!series && !judged && !histogram) return <Empty title="This alert carries no evidence" />;
  return (
    <>
      {judged && <Judged {...judged} />}
      {histogram?.bins && (
        <Card title={alert.kind === "prediction_drift" ? "The scores" : alert.feature} note="Share of rows in each bin: the training reference beside the latest bad window.">
          <Histogram table={histogram} label={`Distribution of ${alert.feature}`} />
        </Card>
      )}
      {series && series.length > 0 && (
        <Card title="Window by window" flush>
          <Table
            caption="The signal in each window, newest first"
            rows={[...series].sort((a, b) => b.start.localeCompare(a.start))}
            id={(row) => row.start + row.revision}
            columns={[
              { key: "start", label: "Window", title: true, fixed: true, show: (row) => day(row.start) },
              { key: "effect", label: "Effect", number: true, show: (row) => figure(row.effect, 3) },
              { key: "limit", label: "Limit", number: true, show: (row) => figure(row.threshold, 3) },
              { key: "bad", label: "Beyond", show: (row) => (row.bad ? "yes" : "no") },
            ]}
          />
        </Card>
      )}
    </>
  );
}

function Judged({ current, reference, bar }: { current: Estimate; reference: Estimate | null; bar: number | null }) {
  const words = (estimate: Estimate) => `${figure(estimate.value, 4)} (${figure(estimate.low, 4)} to ${figure(estimate.high, 4)}), ${estimate.n.toLocaleString("en-US")} rows`;
  return (
    <Card title={current.metric} note="With the confidence interval: the better end must still miss the bar before anybody is called.">
      <Facts
        items={[
          ["In the window", words(current)],
          ["On the reference", reference ? words(reference) : "unknown"],
          ["Bar", bar === null ? "" : figure(bar, 4)],
        ]}
      />
    </Card>
  );
}
