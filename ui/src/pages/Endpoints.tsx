import { Link } from "wouter";
import { useGet } from "../api/hooks";
import type { Endpoint } from "../api/types";
import { Badge, Card, Empty, Status } from "../parts/Basics";
import { Loaded } from "../parts/Loaded";
import { Page } from "../parts/Page";
import { Table, type Column } from "../parts/Table";
import { Weights } from "./endpoint/Weights";

const COLUMNS: Column<Endpoint>[] = [
  { key: "name", label: "Endpoint", title: true, show: (row) => <Link href={`/endpoints/${row.name}`}>{row.name}</Link> },
  { key: "traffic", label: "Traffic", show: (row) => (row.routes.length ? <Weights endpoint={row} /> : <span className="muted">nothing serves yet</span>) },
  { key: "rollout", label: "Rollout", show: (row) => (row.rollout ? <Status value={row.rollout.state} /> : "–") },
  { key: "time", label: "Time", show: (row) => (row.simulated ? <Badge plain>simulated</Badge> : "real") },
  { key: "url", label: "Address", show: (row) => <span className="mono tiny wrap">{row.url}</span> },
];

export function Endpoints() {
  const endpoints = useGet<Endpoint[]>("/api/v1/endpoints", { every: 4000 });
  return (
    <Page title="Endpoints" about="Stable prediction addresses, and the model versions behind them.">
      <Card flush>
        <Loaded query={endpoints}>
          {(rows) =>
            rows.length ? (
              <Table caption="Endpoints" columns={COLUMNS} rows={rows} id={(row) => row.id} />
            ) : (
              <Empty title="No endpoints yet" code="modelkeel deploy flights@champion">
                Deploy a registered model to an address that stays the same:
              </Empty>
            )
          }
        </Loaded>
      </Card>
    </Page>
  );
}
