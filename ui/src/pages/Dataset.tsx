import { Link, useSearchParams } from "wouter";
import { useGet } from "../api/hooks";
import { bytes, count } from "../api/format";
import type { Dataset as DatasetData, DatasetColumn, DatasetDiff, DatasetVersion } from "../api/types";
import { Badge, Card, Empty, Facts, Failure, Id, Skeleton, Time } from "../parts/Basics";
import { Loaded } from "../parts/Loaded";
import { Page } from "../parts/Page";
import { Table, type Column } from "../parts/Table";

const CRUMBS = [{ label: "Data sets", to: "/datasets" }];

/** A data set: its versions, and of one of them columns, statistics, and what changed since the one before. */
export function Dataset({ name }: { name: string }) {
  const at = `/api/v1/datasets/${encodeURIComponent(name)}`;
  const query = useGet<DatasetData>(at, { every: 10_000 });
  const [search] = useSearchParams();
  const found = query.data;
  if (!found) {
    return (
      <Page title={name} crumbs={CRUMBS}>
        {query.error ? <Failure error={query.error} /> : <Skeleton rows={6} />}
      </Page>
    );
  }
  const chosen = Number(search.get("version") ?? found.newest);
  const kept = [found.keep_versions ? `the newest ${found.keep_versions}` : "", found.keep_days ? `${found.keep_days} days` : ""].filter(Boolean).join(", ");
  const columns: Column<DatasetVersion>[] = [
    { key: "number", label: "Version", title: true, show: (one) => <Link href={`/datasets/${encodeURIComponent(name)}?version=${one.number}`} aria-current={one.number === chosen || undefined}>version {one.number}</Link> },
    { key: "rows", label: "Rows", number: true, show: (one) => (one.profile.rows === null || one.profile.rows === undefined ? "–" : count(one.profile.rows)) },
    { key: "size", label: "Size", number: true, show: (one) => bytes(one.size) },
    { key: "source", label: "Source", show: (one) => <span className="muted wrap">{one.source || "–"}</span> },
    { key: "user", label: "By", show: (one) => one.user },
    { key: "created", label: "Added", fixed: true, show: (one) => (one.deleted ? <Badge tone="warn">let go</Badge> : <Time value={one.created} />) },
  ];
  return (
    <Page title={found.name} about={found.description || "No description yet."} crumbs={CRUMBS}>
      <Card>
        <Facts items={[["Owner", found.owner], ["Versions", count(found.newest)], ["Kept", kept || "for ever"], ["Load it", <code key="l" className="wrap">{`keel.load_dataset("${found.name}")`}</code>]]} />
      </Card>
      <Card title="Versions" flush>
        {found.versions.length ? <Table caption="Versions" columns={columns} rows={found.versions} id={(one) => String(one.number)} /> : <Empty title="No version yet" />}
      </Card>
      {found.newest > 0 && <Version key={chosen} at={at} number={chosen} />}
      {chosen > 1 && <Changes key={`d${chosen}`} at={at} before={chosen - 1} after={chosen} />}
    </Page>
  );
}

const FIELDS: Column<DatasetColumn>[] = [
  { key: "name", label: "Column", title: true, show: (one) => <span className="mono">{one.name}</span> },
  { key: "type", label: "Type", show: (one) => <span className="mono tiny">{one.type}</span> },
  { key: "nulls", label: "Empty", number: true, show: (one) => count(one.nulls ?? 0) },
  { key: "distinct", label: "Distinct", number: true, show: (one) => (one.distinct === null || one.distinct === undefined ? "–" : count(one.distinct)) },
  { key: "min", label: "Least", show: (one) => <span className="wrap">{one.min ?? "–"}</span> },
  { key: "max", label: "Greatest", show: (one) => <span className="wrap">{one.max ?? "–"}</span> },
  { key: "mean", label: "Mean", number: true, show: (one) => (one.mean === null || one.mean === undefined ? "–" : one.mean.toPrecision(5)) },
];

function Version({ at, number }: { at: string; number: number }) {
  const query = useGet<DatasetVersion>(`${at}/versions/${number}`);
  return (
    <Card title={`Version ${number}`} flush>
      <Loaded query={query} rows={4}>
        {(found) => (
          <>
            <div className="card-body">
              <Facts
                items={[
                  ["Digest", <Id key="d" value={found.digest} length={16} />],
                  ["Made by run", found.run_id ? <Link key="r" href={`/runs/${found.run_id}`}>{found.run_id.slice(0, 12)}</Link> : ""],
                  ["Read by", found.used_by?.length ? <span key="u" className="row">{found.used_by.slice(0, 10).map((run) => <Link key={run} href={`/runs/${run}`}>{run.slice(0, 8)}</Link>)}</span> : "no run yet"],
                  ["Entry", <Link key="e" href={`/ledger/${found.entry}`}>#{found.entry}</Link>],
                ]}
              />
            </div>
            {found.profile.columns?.length ? <Table caption="Columns" columns={FIELDS} rows={found.profile.columns} id={(one) => one.name} /> : null}
          </>
        )}
      </Loaded>
    </Card>
  );
}

const CHANGES: Column<DatasetDiff["columns"][number]>[] = [
  { key: "column", label: "Column", title: true, show: (one) => <span className="mono">{one.column}</span> },
  { key: "what", label: "What", show: (one) => one.what },
  { key: "was", label: "Was", show: (one) => <span className="wrap">{one.was || "–"}</span> },
  { key: "now", label: "Now", show: (one) => <span className="wrap">{one.now || "–"}</span> },
];

function Changes({ at, before, after }: { at: string; before: number; after: number }) {
  const query = useGet<DatasetDiff>(`${at}/diff`, { query: { before, after } });
  return (
    <Card title={`Since version ${before}`} note={query.data ? told(query.data) : undefined} flush>
      <Loaded query={query} rows={3}>
        {(found) => (found.columns.length ? <Table caption="Changes" columns={CHANGES} rows={found.columns} id={(one) => `${one.column} ${one.what}`} /> : <Empty title="No column changed in type or statistics" />)}
      </Loaded>
    </Card>
  );
}

function told(found: DatasetDiff): string {
  const [was, now] = found.rows;
  return was === null || now === null || was === undefined || now === undefined ? "" : `${count(was)} → ${count(now)} rows`;
}
