import { useMetricSeries } from "../api/series";
import { figure } from "../api/format";
import { Card, Failure, Skeleton } from "../parts/Basics";
import { Plot, type Line } from "./Plot";

/** One metric of a run over its steps. Long series come in buckets: the last value, in a band from lowest to highest. */
export function MetricChart({ runId, metric, live }: { runId: string; metric: string; live: boolean }) {
  const series = useMetricSeries(runId, metric, live);
  return (
    <Card title={<span className="mono small">{metric}</span>}>
      {series.error ? <Failure error={series.error} /> : !series.data ? <Skeleton rows={5} /> : <Body metric={metric} buckets={series.data} />}
    </Card>
  );
}

function Body({ metric, buckets }: { metric: string; buckets: NonNullable<ReturnType<typeof useMetricSeries>["data"]> }) {
  const only = buckets[0];
  if (!only) return <p className="muted small">No points yet.</p>;
  if (buckets.length === 1) {
    return (
      <p>
        <strong className="stat-value num">{figure(only.last)}</strong> <span className="muted small">one point, at step {only.step}</span>
      </p>
    );
  }
  const bucketed = buckets.some((bucket) => bucket.points > 1);
  const show = (value: number | null | undefined) => figure(value);
  const lines: Line[] = [{ label: bucketed ? "last" : metric, colour: 1, values: buckets.map((bucket) => bucket.last), show }];
  if (bucketed) {
    lines.push({ label: "highest", colour: 1, width: 0.5, points: false, edge: true, values: buckets.map((bucket) => bucket.high), show });
    lines.push({ label: "lowest", colour: 1, width: 0.5, points: false, edge: true, values: buckets.map((bucket) => bucket.low), show });
  }
  return <Plot label={metric} x={buckets.map((bucket) => bucket.end)} lines={lines} bands={bucketed ? [[2, 3]] : []} xLabel="Step" showY={(value) => figure(value, 3)} />;
}
