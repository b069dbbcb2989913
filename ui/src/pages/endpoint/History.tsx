import { Link } from "wouter";
import { fullTime } from "../../api/format";
import { useGet } from "../../api/hooks";
import type { Endpoint, Traffic } from "../../api/types";
import { Card, Empty } from "../../parts/Basics";
import { Loaded } from "../../parts/Loaded";
import { Table } from "../../parts/Table";

/** Every division of traffic, newest first, each with its ledger entry. */
export function History({ endpoint }: { endpoint: Endpoint }) {
  const history = useGet<Traffic[]>(`/api/v1/endpoints/${endpoint.name}/traffic`, { every: 5000 });
  const name = (id: string) => {
    const revision = endpoint.revisions.find((one) => one.id === id);
    return revision ? `${revision.model} ${revision.version}` : id.slice(0, 8);
  };
  return (
    <Card title="What served when" flush>
      <Loaded query={history}>
        {(rows) =>
          rows.length ? (
            <Table
              caption="Divisions of traffic, newest first"
              rows={[...rows].reverse()}
              id={(row) => `${row.since}-${row.entry}`}
              columns={[
                { key: "since", label: "From", title: true, fixed: true, show: (row) => fullTime(row.since) },
                { key: "routes", label: "Traffic", show: (row) => row.routes.map((share) => `${name(share.revision)}: ${Math.round(share.weight)} %`).join(" · ") },
                { key: "shadow", label: "Shadow", show: (row) => (row.shadow ? name(row.shadow) : "–") },
                { key: "entry", label: "Entry", number: true, show: (row) => <Link href={`/ledger/${row.entry}`}>#{row.entry}</Link> },
              ]}
            />
          ) : (
            <Empty title="Nothing has served yet" />
          )
        }
      </Loaded>
    </Card>
  );
}
