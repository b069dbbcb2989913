import { Link } from "wouter";
import { useGet } from "../api/hooks";
import { bytes, count } from "../api/format";
import type { Dataset } from "../api/types";
import { Card, Empty, Time } from "../parts/Basics";
import { Loaded } from "../parts/Loaded";
import { Page } from "../parts/Page";
import { Table, type Column } from "../parts/Table";

const COLUMNS: Column<Dataset>[] = [
  { key: "name", label: "Name", title: true, show: (one) => <Link href={`/datasets/${encodeURIComponent(one.name)}`}>{one.name}</Link> },
  { key: "about", label: "About", show: (one) => <span className="muted wrap">{one.description || "–"}</span> },
  { key: "newest", label: "Version", number: true, show: (one) => one.newest || "–" },
  { key: "rows", label: "Rows", number: true, show: (one) => rows(one) },
  { key: "size", label: "Size", number: true, show: (one) => (one.versions[0] ? bytes(one.versions[0].size) : "–") },
  { key: "owner", label: "Owner", show: (one) => one.owner },
  { key: "updated", label: "Changed", fixed: true, show: (one) => <Time value={one.updated} /> },
];

function rows(one: Dataset): string {
  const found = one.versions[0]?.profile.rows;
  return found === null || found === undefined ? "–" : count(found);
}

export function Datasets() {
  const datasets = useGet<Dataset[]>("/api/v1/datasets", { every: 10_000 });
  return (
    <Page title="Data sets" about="Named data with versions: what they hold, where they came from, which runs read them.">
      <Card flush>
        <Loaded query={datasets}>
          {(found) =>
            found.length ? (
              <Table caption="Data sets" columns={COLUMNS} rows={found} id={(one) => one.id} />
            ) : (
              <Empty title="No data sets yet" code={'keel.save_dataset("trips", frame)\n\n$ modelkeel dataset add trips trips.parquet'}>
                Keep a table or a file under a name:
              </Empty>
            )
          }
        </Loaded>
      </Card>
    </Page>
  );
}
