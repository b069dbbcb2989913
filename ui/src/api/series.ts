import { useGet } from "./hooks";
import type { Bucket } from "./types";

export const BUCKETS = 400;

/** A metric's series in at most 400 ranges of steps, whatever its length. */
export function useMetricSeries(runId: string, metric: string, live: boolean) {
  return useGet<Bucket[]>(`/api/v1/runs/${runId}/metric-buckets`, { query: { key: metric, count: BUCKETS }, every: live ? 3000 : undefined });
}
