import { useQueries } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useSearchParams } from "wouter";
import { fullTime, plural, seconds } from "../api/format";
import { fetchRun, millis, type Run } from "../api/mlflow";
import { Badge, Card, Empty, Failure, Skeleton, Status } from "../parts/Basics";
import { Page } from "../parts/Page";
import { compareAddress, runsOf } from "./compare/address";
import { CompareTable, type CompareRow } from "./compare/CompareTable";
import { Cost } from "./compare/Cost";
import { MetricTable } from "./compare/MetricTable";
import { Overlay } from "./compare/Overlay";
import { compareData, comparePairs, seriesNames, type Compared } from "./compare/rows";
import { duration } from "./runs/columns";

const CHARTS = 8;

/** Runs beside each other; the address names them, so that the comparison can be shared. */
export function Compare() {
  const [search] = useSearchParams();
  const ids = runsOf(search);
  const found = useQueries({
    queries: ids.map((id) => ({ queryKey: ["run", id], queryFn: () => fetchRun(id), refetchInterval: (query: { state: { data?: Run } }) => (query.state.data?.info.status === "RUNNING" ? 5000 : (false as const)) })),
  });
  const runs = found.flatMap((query) => query.data ?? []);
  const error = found.find((query) => query.error)?.error;
  const experiments = [...new Set(runs.map((run) => run.info.experiment_id))];
  const crumbs = [{ label: "Experiments", to: "/experiments" }, ...(experiments.length === 1 ? [{ label: "Runs", to: `/experiments/${experiments[0]}` }] : [])];
  return (
    <Page title="Compare runs" about={ids.length ? plural(ids.length, "run") : ""} crumbs={crumbs}>
      {error && <Failure error={error} />}
      {ids.length < 2 ? (
        <Card>
          <Empty title="Choose at least two runs">
            Tick them in the table of an <Link href="/experiments">experiment</Link>, then press Compare.
          </Empty>
        </Card>
      ) : runs.length < ids.length ? (
        !error && <Skeleton rows={10} />
      ) : (
        <Comparison runs={runs} />
      )}
    </Page>
  );
}

function Comparison({ runs }: { runs: Run[] }) {
  const [only, setOnly] = useState(false);
  const show = (rows: Compared[]): CompareRow[] => rows.filter((row) => row.differs || !only).map((row) => ({ name: row.name, differs: row.differs, cells: row.values.map((value) => value && <span className="wrap">{value}</span>) }));
  const params = comparePairs(runs, (run) => run.data.params);
  const tags = comparePairs(runs, (run) => run.data.tags, (key) => !key.startsWith("mlflow.log-model") && key !== "mlflow.runName");
  const data = compareData(runs);
  return (
    <>
      <label className="check">
        <input type="checkbox" checked={only} onChange={(event) => setOnly(event.target.checked)} />
        Only what differs
      </label>
      <About runs={runs} />
      <Card title="Metrics" flush note="The last value of each. Beside it, the difference from the first run.">
        <MetricTable runs={runs} only={only} />
      </Card>
      <Charts runs={runs} />
      <Part title="Params" rows={show(params)} all={params} runs={runs} none="These runs logged no params." />
      <Part title="Data sets read" rows={show(data)} all={data} runs={runs} none="These runs named no data sets." />
      <Part title="Tags" rows={show(tags)} all={tags} runs={runs} none="These runs have no tags." />
    </>
  );
}

function Part({ title, rows, all, runs, none }: { title: string; rows: CompareRow[]; all: Compared[]; runs: Run[]; none: string }) {
  const differing = all.filter((row) => row.differs).length;
  return (
    <Card title={title} flush actions={all.length > 0 && <Badge plain tone={differing ? "warn" : "ok"}>{differing ? `${differing} of ${all.length} differ` : "all the same"}</Badge>}>
      {all.length === 0 ? <p className="card-body muted small">{none}</p> : rows.length === 0 ? <p className="card-body muted small">Nothing here differs.</p> : <CompareTable caption={title} runs={runs} rows={rows} />}
    </Card>
  );
}

/** What is known about every run, whether it differs or not. */
function About({ runs }: { runs: Run[] }) {
  const rows: CompareRow[] = [
    { name: "Status", differs: false, cells: runs.map((run) => <Status key="s" value={run.info.status} />) },
    { name: "Started", differs: false, cells: runs.map((run) => fullTime(millis(run.info.start_time) ?? 0)) },
    { name: "Took", differs: false, cells: runs.map((run) => (run.info.end_time ? seconds(duration(run)) : "still running")) },
    { name: "User", differs: false, cells: runs.map((run) => run.info.user_id || undefined) },
    { name: "Cost", differs: false, cells: runs.map((run) => <Cost key="c" run={run} />) },
    ...(runs.length > 2 ? [{ name: "Leave out", differs: false, cells: runs.map((run) => <Without key="w" run={run} runs={runs} />) }] : []),
  ];
  return (
    <Card title="About" flush>
      <CompareTable caption="About the runs" runs={runs} rows={rows} />
    </Card>
  );
}

function Without({ run, runs }: { run: Run; runs: Run[] }) {
  const others = runs.filter((one) => one !== run).map((one) => one.info.run_id);
  return <Link href={compareAddress(others)}>without it</Link>;
}

function Charts({ runs }: { runs: Run[] }) {
  const [shown, setShown] = useState(CHARTS);
  const names = seriesNames(runs);
  if (names.length === 0) return null;
  return (
    <>
      <div className="charts wide">
        {names.slice(0, shown).map((name) => (
          <Overlay key={name} metric={name} runs={runs} />
        ))}
      </div>
      {names.length > shown && (
        <div>
          <button type="button" className="button" onClick={() => setShown(shown + CHARTS)}>
            Show {Math.min(CHARTS, names.length - shown)} more charts
          </button>
        </div>
      )}
    </>
  );
}
