import { useMemo } from "react";
import { count, figure, plural } from "../../api/format";
import { useGet } from "../../api/hooks";
import type { Endpoint, TrafficReport } from "../../api/types";
import { Plot, type Line } from "../../charts/Plot";
import { Card, Empty, Failure, Skeleton, Stat } from "../../parts/Basics";
import { colourOf } from "./Weights";

/** Predictions a second and their time, by revision, of the last hour. */
export function LiveTraffic({ endpoint }: { endpoint: Endpoint }) {
  const report = useGet<TrafficReport>(`/api/v1/monitors/${endpoint.name}/traffic`, { every: 2500 });
  const shaped = useMemo(() => (report.data ? shape(report.data, endpoint) : null), [report.data, endpoint]);
  if (report.error) return <Failure error={report.error} />;
  if (!report.data || !shaped) return <Skeleton rows={6} />;
  if (shaped.x.length === 0) {
    return (
      <Card title="Live traffic">
        <Empty title="No predictions in the last hour" code={`curl ${endpoint.url}/invocations \\\n  -H 'content-type: application/json' \\\n  -d '{"dataframe_records": [{…}]}'`}>
          Ask it something:
        </Empty>
      </Card>
    );
  }
  const lost = report.data.gaps.reduce((sum, gap) => sum + gap.rows, 0);
  return (
    <Card title="Live traffic" note={lost ? `${plural(lost, "row")} answered but not logged (${report.data.gaps[0]?.reason}); counted as a gap.` : undefined}>
      <div className="stack">
        <div className="stats">
          <Stat label="Predictions, last hour" value={count(shaped.rows)} />
          <Stat label="Requests" value={count(shaped.requests)} />
          <Stat label="Mean time" value={`${figure(shaped.mean, 3)} ms`} />
          <Stat label="Slowest" value={`${figure(shaped.slowest, 3)} ms`} />
        </div>
        <div>
          <p className="chart-caption">Predictions a second</p>
          <Plot label="Predictions a second" time x={shaped.x} lines={shaped.rate} range={[0, null]} height={180} />
        </div>
        <div>
          <p className="chart-caption">Mean time of a request, ms</p>
          <Plot label="Mean time of a request in milliseconds" time x={shaped.x} lines={shaped.latency} range={[0, null]} height={150} />
        </div>
      </div>
    </Card>
  );
}

function shape(report: TrafficReport, endpoint: Endpoint) {
  const bucket = report.bucket_seconds;
  const times = [...new Set(report.series.map((point) => new Date(point.time).getTime() / 1000))].sort((a, b) => a - b);
  // Buckets without requests are not sent: put zeroes where the line would lie across a pause.
  const x = times.flatMap((time, at) => {
    const next = times[at + 1];
    if (times.length === 1) return [time - bucket, time, time + bucket];
    return next !== undefined && next - time > bucket * 1.5 ? [time, time + bucket, next - bucket] : [time];
  });
  const place = new Map(x.map((time, at) => [time, at]));
  // A revision that left the shadow has a line for each: copies, and answers.
  const shadowed = (point: TrafficReport["series"][number]) => point.variant === "shadow";
  const drawn = [...new Map(report.series.map((point) => [`${point.revision}/${shadowed(point)}`, point])).values()];
  const rate: Line[] = [];
  const latency: Line[] = [];
  for (const one of drawn) {
    const points = report.series.filter((point) => point.revision === one.revision && shadowed(point) === shadowed(one));
    const label = `${one.model} ${one.version}${shadowed(one) ? " (shadow)" : ""}`;
    const look = { label, colour: colourOf(endpoint, one.revision), dashed: shadowed(one) };
    const rows: (number | null)[] = x.map(() => 0);
    const times: (number | null)[] = x.map(() => null);
    for (const point of points) {
      const at = place.get(new Date(point.time).getTime() / 1000);
      if (at === undefined) continue;
      rows[at] = (rows[at] ?? 0) + point.rows / bucket;
      times[at] = point.mean_latency_us / 1000;
    }
    rate.push({ ...look, values: rows, points: false, show: (value) => figure(value, 3) });
    latency.push({ ...look, values: times, show: (value) => (value === null || value === undefined ? "–" : `${figure(value, 3)} ms`) });
  }
  // A shadow answers nobody: its copies of requests are drawn and not counted.
  const answered = report.series.filter((point) => !shadowed(point));
  const requests = answered.reduce((sum, point) => sum + point.requests, 0);
  return {
    x,
    rate,
    latency,
    requests,
    rows: answered.reduce((sum, point) => sum + point.rows, 0),
    mean: answered.reduce((sum, point) => sum + point.mean_latency_us * point.requests, 0) / Math.max(requests, 1) / 1000,
    slowest: Math.max(0, ...answered.map((point) => point.max_latency_us)) / 1000,
  };
}
