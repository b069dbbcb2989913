import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { useLocation, useSearchParams } from "wouter";
import { runName, searchRuns, useExperiment, type RunPage } from "../api/mlflow";
import { plural } from "../api/format";
import { Card, Empty, Failure, Skeleton } from "../parts/Basics";
import { Page } from "../parts/Page";
import { Table, type Sort } from "../parts/Table";
import { compareAddress, MOST } from "./compare/address";
import { Chooser } from "./runs/Chooser";
import { choicesOf, columnsFor, defaultColumns } from "./runs/columns";

/** The runs of an experiment: sorted and filtered by the server, in MLflow's own filter grammar. */
export function Runs({ experiment }: { experiment: string }) {
  const about = useExperiment(experiment);
  const [search, setSearch] = useSearchParams();
  const filter = search.get("filter") ?? "";
  const sort = parseSort(search.get("sort"));
  const [typed, setTyped] = useState(filter);
  const [chosen, choose] = useChosen(experiment);
  const [, go] = useLocation();
  const [picked, setPicked] = useState<string[]>([]);
  const flip = (id: string) => setPicked(picked.includes(id) ? picked.filter((one) => one !== id) : [...picked, id]);
  const pages = useInfiniteQuery({
    queryKey: ["runs", experiment, filter, sort.key, sort.descending],
    initialPageParam: "",
    queryFn: ({ pageParam }) => searchRuns({ experiment_ids: [experiment], filter, order_by: [`${sort.key} ${sort.descending ? "DESC" : "ASC"}`], max_results: 100, page_token: pageParam || undefined }),
    getNextPageParam: (page: RunPage) => page.next_page_token || undefined,
    placeholderData: keepPreviousData,
    refetchInterval: (query) => ((query.state.data?.pages.length ?? 1) === 1 && !query.state.error ? 5000 : false),
  });
  const runs = useMemo(() => pages.data?.pages.flatMap((page) => page.runs ?? []) ?? [], [pages.data]);
  const choices = useMemo(() => choicesOf(runs), [runs]);
  const shown = chosen ?? defaultColumns(runs, choices);
  const update = (changes: Record<string, string>) => {
    const next = { filter, sort: search.get("sort") ?? "", ...changes };
    setSearch(Object.fromEntries(Object.entries(next).filter(([, value]) => value)), { replace: true });
  };
  return (
    <Page title={about.data?.name ?? "Experiment"} about={pages.data ? `${plural(runs.length, "run")}${pages.hasNextPage ? " and more" : ""}` : ""} crumbs={[{ label: "Experiments", to: "/experiments" }]}>
      <Card flush>
        <form
          className="toolbar"
          role="search"
          onSubmit={(event) => {
            event.preventDefault();
            update({ filter: typed.trim() });
          }}
        >
          <input className="input mono" data-filter aria-label="Filter runs" placeholder="metrics.auc > 0.7 and params.depth = '8'" value={typed} onChange={(event) => setTyped(event.target.value)} spellCheck={false} />
          <button type="submit" className="button">
            Filter
          </button>
          {filter && (
            <button
              type="button"
              className="button quiet"
              onClick={() => {
                setTyped("");
                update({ filter: "" });
              }}
            >
              Clear
            </button>
          )}
          <button type="button" className={picked.length > 1 ? "button primary" : "button"} disabled={picked.length < 2 || picked.length > MOST} title={`Choose 2 to ${MOST} runs in the table`} onClick={() => go(compareAddress(picked))}>
            Compare{picked.length > 0 ? ` · ${picked.length}` : ""}
          </button>
          <Chooser choices={choices} chosen={shown} onChange={choose} />
        </form>
        {pages.error ? (
          <div className="card-body">
            <Failure error={pages.error} />
          </div>
        ) : pages.isPending ? (
          <Skeleton rows={8} />
        ) : runs.length ? (
          <Table caption="Runs" columns={columnsFor(shown)} rows={runs} id={(run) => run.info.run_id} sort={sort} onSort={(next) => update({ sort: `${next.descending ? "-" : ""}${next.key}` })} choice={{ chosen: picked, flip, label: (run) => `Choose ${runName(run)}` }} cards={false} />
        ) : filter ? (
          <Empty title="No run fits this filter">Compare metrics with numbers, and params and tags with quoted text.</Empty>
        ) : (
          <Empty title="No runs yet" code={`import mlflow\nmlflow.set_tracking_uri("${location.origin}")\nmlflow.set_experiment("${about.data?.name ?? ""}")\nmlflow.autolog()`} />
        )}
        {pages.hasNextPage && (
          <div className="card-note">
            <button type="button" className="button" disabled={pages.isFetchingNextPage} onClick={() => pages.fetchNextPage()}>
              Show more runs
            </button>
          </div>
        )}
      </Card>
    </Page>
  );
}

function parseSort(text: string | null): Sort {
  if (!text) return { key: "attributes.start_time", descending: true };
  return { key: text.replace(/^-/, ""), descending: text.startsWith("-") };
}

/** The columns somebody chose for this experiment, kept in this browser. */
function useChosen(experiment: string): [string[] | null, (chosen: string[]) => void] {
  const key = `modelkeel.columns.${experiment}`;
  const [chosen, setChosen] = useState<string[] | null>(() => JSON.parse(localStorage.getItem(key) ?? "null") as string[] | null);
  return [
    chosen,
    (next) => {
      localStorage.setItem(key, JSON.stringify(next));
      setChosen(next);
    },
  ];
}
