import { Link, useSearchParams } from "wouter";
import { useGet } from "../api/hooks";
import { count, fullTime, seconds } from "../api/format";
import type { PipelineRun as PipelineRunData, RecordedReproduction } from "../api/types";
import { Card, Facts, Failure, Id, Skeleton, Stat, Status, Time } from "../parts/Basics";
import { Page } from "../parts/Page";
import { Questions } from "./pipeline/Answer";
import { Behind } from "./pipeline/Behind";
import { Launch } from "./pipeline/Launch";
import { StepGroups } from "./pipeline/StepGroups";
import { StepGraph } from "./pipeline/StepGraph";
import { StepTable } from "./pipeline/StepTable";
import { StepDetail } from "./pipeline/StepDetail";

/** Steps that are drawn and listed one by one. */
const MOST_STEPS = 200;
const CRUMBS = [{ label: "Pipelines", to: "/pipelines" }];

/** A pipeline run: its graph, its steps, and everything needed to run it again. */
export function PipelineRun({ id }: { id: string }) {
  const query = useGet<PipelineRunData>(`/api/v1/pipelines/runs/${id}`, { query: { limit: MOST_STEPS }, every: 3000 });
  const [search] = useSearchParams();
  const run = query.data;
  if (!run) {
    return (
      <Page title="Pipeline run" crumbs={CRUMBS}>
        {query.error ? <Failure error={query.error} /> : <Skeleton rows={8} />}
      </Page>
    );
  }
  const chosen = run.steps.find((step) => String(step.index) === search.get("step"));
  return (
    <Page
      title={run.pipeline}
      about={
        <span className="row">
          <Status value={run.status} /> <Id value={run.run_id} length={12} /> <Time value={run.started} />
        </span>
      }
      crumbs={CRUMBS}
      actions={
        <>
          <Launch run={run} />
          <Link className="button" href={`/runs/${id}`}>
            Metrics and artifacts
          </Link>
          <Link className="button" href={`/ledger?about=run:${id}`}>
            Ledger entries
          </Link>
        </>
      }
    >
      {run.error && (
        <div className="problem" role="alert">
          <pre className="tiny wrap">{run.error}</pre>
        </div>
      )}
      <div className="stats">
        <Stat label="Took" value={seconds(run.seconds)} note={`${seconds(run.cpu_seconds)} of processor`} />
        <Stat label="Steps" value={count(run.step_count)} note={`${count(run.cached_steps)} from the cache`} />
        <Stat label="Saved" value={run.saved_seconds > 0 ? seconds(run.saved_seconds) : "–"} note="what cached steps took when they ran" />
        <Stat label="Seed" value={run.seed} note={`Python ${run.python}`} />
      </div>
      <Questions run={run} />
      {run.step_count > MOST_STEPS ? (
        <Card title="Steps by name" flush>
          <StepGroups run={run} />
        </Card>
      ) : (
        <Card title="Graph" flush actions={<GraphLegend />}>
          <StepGraph run={run} />
        </Card>
      )}
      {chosen && <StepDetail step={chosen} run={run} />}
      <Card title={run.step_count > MOST_STEPS ? `Steps, the first ${count(MOST_STEPS)}` : "Steps"} flush>
        <StepTable run={run} />
      </Card>
      <Behind run={run} />
      <Reproductions id={id} />
    </Page>
  );
}

function GraphLegend() {
  return (
    <span className="legend">
      <span>
        <i style={{ background: "var(--ok)" }} /> ran
      </span>
      <span>
        <i style={{ background: "var(--info)" }} /> cached
      </span>
      <span>
        <i style={{ background: "var(--bad)" }} /> failed
      </span>
    </span>
  );
}

function Reproductions({ id }: { id: string }) {
  const found = useGet<RecordedReproduction[]>("/api/v1/reproductions", { query: { run_id: id } });
  if (!found.data) return null;
  return (
    <Card title="Reruns" note={found.data.length ? undefined : <code>modelkeel reproduce {id.slice(0, 12)}</code>}>
      {found.data.length === 0 ? (
        <p className="muted small">Nobody has rerun this from the ledger yet. The command below rebuilds its environment and compares every result.</p>
      ) : (
        <div className="stack">
          {found.data.map(({ id: key, recorded, user, entry, reproduction }) => (
            <Facts
              key={key}
              items={[
                ["Verdict", <Status key="v" value={reproduction.verdict} />],
                ["Rerun", <Link key="r" href={`/pipelines/${reproduction.rerun_id}`}>{reproduction.rerun_id.slice(0, 12)}</Link>],
                ["Compared", `${reproduction.steps} steps, ${reproduction.models} models (${reproduction.files} files), ${reproduction.metrics} metrics`],
                ["Differences", reproduction.differences.map((one) => `${one.kind} ${one.name}: ${one.was} → ${one.now}`).join("; ")],
                ["By", `${user}, ${fullTime(recorded)}`],
                ["Entry", <Link key="e" href={`/ledger/${entry}`}>#{entry}</Link>],
              ]}
            />
          ))}
        </div>
      )}
    </Card>
  );
}
