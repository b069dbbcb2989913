import { Link } from "wouter";
import { useGet } from "../api/hooks";
import { fullTime, seconds } from "../api/format";
import { millis, pairs, quoted, runName, useRun, useVersions, type Run as RunData } from "../api/mlflow";
import type { PipelineRun } from "../api/types";
import { Card, Facts, Failure, Id, Skeleton, Status } from "../parts/Basics";
import { Page } from "../parts/Page";
import { Tabs } from "../parts/Tabs";
import { Artifacts } from "./run/Artifacts";
import { Charts } from "./run/Charts";
import { Inputs, Metrics, Params, Tags } from "./run/Data";
import { duration } from "./runs/columns";

/** One run: what went in, what came out, how it went. */
export function Run({ id }: { id: string }) {
  const query = useRun(id);
  if (query.error) {
    return (
      <Page title="Run" crumbs={[{ label: "Experiments", to: "/experiments" }]}>
        <Failure error={query.error} />
      </Page>
    );
  }
  const run = query.data;
  if (!run) {
    return (
      <Page title="Run">
        <Skeleton rows={8} />
      </Page>
    );
  }
  return (
    <Page
      title={runName(run)}
      about={<Status value={run.info.status} />}
      crumbs={[{ label: "Experiments", to: "/experiments" }, { label: "Runs", to: `/experiments/${run.info.experiment_id}` }]}
      actions={
        <Link className="button" href={`/ledger?about=run:${id}`}>
          Ledger entries
        </Link>
      }
    >
      <Tabs
        label="Parts of the run"
        tabs={[
          { key: "overview", label: "Overview", show: () => <Overview run={run} /> },
          { key: "charts", label: `Charts · ${run.data.metrics?.length ?? 0}`, show: () => <Charts run={run} /> },
          { key: "artifacts", label: "Artifacts", show: () => <Artifacts run={run} /> },
        ]}
      />
    </Page>
  );
}

function Overview({ run }: { run: RunData }) {
  return (
    <div className="grid">
      <div className="span-5 stack">
        <About run={run} />
        <Inputs run={run} />
        <Tags run={run} />
      </div>
      <div className="span-7 stack">
        <Metrics run={run} />
        <Params run={run} />
      </div>
    </div>
  );
}

function About({ run }: { run: RunData }) {
  const id = run.info.run_id;
  const versions = useVersions(`run_id = ${quoted(id)}`);
  const start = millis(run.info.start_time);
  const end = millis(run.info.end_time);
  return (
    <Card title="About">
      <Facts
        items={[
          ["Run", <Id key="id" value={id} length={32} />],
          ["User", run.info.user_id],
          ["Started", start && fullTime(start)],
          ["Ended", end ? fullTime(end) : "still running"],
          ["Took", end ? seconds(duration(run)) : ""],
          ["Pipeline", pairs(run.data.tags)["modelkeel.pipeline"] ? <PipelineLink key="p" id={id} /> : "none: logged by a script"],
          [
            "Registered as",
            versions.data?.length ? (
              <span key="v" className="row">
                {versions.data.map((version) => (
                  <Link key={`${version.name}/${version.version}`} href={`/models/${encodeURIComponent(version.name)}/${version.version}`}>
                    {version.name} {version.version}
                  </Link>
                ))}
              </span>
            ) : (
              ""
            ),
          ],
        ]}
      />
    </Card>
  );
}

function PipelineLink({ id }: { id: string }) {
  const pipeline = useGet<PipelineRun>(`/api/v1/pipelines/runs/${id}`);
  if (!pipeline.data) return <span className="muted">…</span>;
  return (
    <Link href={`/pipelines/${id}`}>
      {pipeline.data.pipeline}: {pipeline.data.steps.length} steps
    </Link>
  );
}
