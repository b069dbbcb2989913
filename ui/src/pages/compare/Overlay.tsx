import { useQueries } from "@tanstack/react-query";
import { useMemo } from "react";
import { get } from "../../api/client";
import { figure } from "../../api/format";
import { runName, type Run } from "../../api/mlflow";
import { BUCKETS } from "../../api/series";
import type { Bucket } from "../../api/types";
import { Plot, type Line } from "../../charts/Plot";
import { Card, Failure, Skeleton } from "../../parts/Basics";

/** One metric of several runs over their steps, each in the buckets that the server makes of it. */
export function Overlay({ metric, runs }: { metric: string; runs: Run[] }) {
  const having = runs.map((run) => (run.data.metrics ?? []).some((one) => one.key === metric));
  const found = useQueries({
    queries: runs.map((run, at) => ({
      queryKey: [`/api/v1/runs/${run.info.run_id}/metric-buckets`, { key: metric, count: BUCKETS }],
      queryFn: ({ signal }: { signal: AbortSignal }) => get<Bucket[]>(`/api/v1/runs/${run.info.run_id}/metric-buckets`, { key: metric, count: BUCKETS }, signal),
      enabled: having[at],
      refetchInterval: run.info.status === "RUNNING" ? 5000 : (false as const),
    })),
  });
  const error = found.find((one) => one.error)?.error;
  const waiting = found.some((one, at) => having[at] && one.data === undefined);
  return (
    <Card title={<span className="mono small">{metric}</span>}>
      {error ? <Failure error={error} /> : waiting ? <Skeleton rows={5} /> : <Lines metric={metric} runs={runs} series={found.map((one) => one.data ?? [])} />}
    </Card>
  );
}

function Lines({ metric, runs, series }: { metric: string; runs: Run[]; series: Bucket[][] }) {
  const key = series.map((buckets) => `${buckets.length}:${buckets.at(-1)?.end}`).join();
  // The shape of the series stands for them: buckets of an ended run never change.
  // eslint-disable-next-line react-hooks/exhaustive-deps
  const { x, lines } = useMemo(() => joined(runs, series), [metric, key]);
  return <Plot label={metric} x={x} lines={lines} height={260} xLabel="Step" showY={(value) => figure(value, 3)} />;
}

/** All series on one axis of steps: where a run has no point, its line goes on. */
function joined(runs: Run[], series: Bucket[][]): { x: number[]; lines: Line[] } {
  const x = [...new Set(series.flatMap((buckets) => buckets.map((bucket) => bucket.end)))].sort((a, b) => a - b);
  const lines = runs.flatMap((run, at): Line[] => {
    const last = new Map((series[at] ?? []).map((bucket) => [bucket.end, bucket.last]));
    if (last.size === 0) return [];
    return [{ label: runName(run), colour: at + 1, dashed: at >= 6, points: last.size < 40, values: x.map((step) => (last.has(step) ? last.get(step) : undefined)), show: (value) => figure(value, 5) }];
  });
  return { x, lines };
}
