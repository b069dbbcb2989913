import { useQuery } from "@tanstack/react-query";
import { fetchBlob } from "../../api/client";
import type { PipelineRun, StepRun } from "../../api/types";
import { Failure, Skeleton } from "../../parts/Basics";

/** What a step printed. */
export function StepLog({ step, run }: { step: StepRun; run: PipelineRun }) {
  const query = useQuery({
    queryKey: ["step-log", run.run_id, step.index, step.log],
    queryFn: async ({ signal }) => (await fetchBlob(`/api/v1/pipelines/runs/${run.run_id}/steps/${step.index}/log`, signal)).text(),
    staleTime: Number.POSITIVE_INFINITY,
  });
  if (query.error) return <Failure error={query.error} />;
  if (query.data === undefined) return <Skeleton rows={2} />;
  return (
    <pre className="log tiny" tabIndex={0} aria-label={`What ${step.name} printed`}>
      {query.data}
    </pre>
  );
}
