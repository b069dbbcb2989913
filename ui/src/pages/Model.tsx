import { Link } from "wouter";
import { useGet } from "../api/hooks";
import { millis, quoted, useModel, useVersions, type ModelVersion } from "../api/mlflow";
import type { Promotion } from "../api/types";
import { Badge, Card, Empty, Facts, Failure, Status, Time } from "../parts/Basics";
import { Loaded } from "../parts/Loaded";
import { Page } from "../parts/Page";
import { Table, type Column } from "../parts/Table";
import { Policy } from "./model/Policy";

/** A model: its versions, what each alias means, and the gates on the way there. */
export function Model({ name }: { name: string }) {
  const model = useModel(name);
  const versions = useVersions(`name = ${quoted(name)}`);
  const promotions = useGet<Promotion[]>("/api/v1/promotions", { query: { model: name }, every: 5000 });
  if (model.error) {
    return (
      <Page title={name} crumbs={[{ label: "Models", to: "/models" }]}>
        <Failure error={model.error} />
      </Page>
    );
  }
  const latest = (version: string) => promotions.data?.find((promotion) => promotion.version === Number(version));
  const columns: Column<ModelVersion>[] = [
    { key: "version", label: "Version", title: true, show: (row) => <Link href={`/models/${encodeURIComponent(name)}/${row.version}`}>Version {row.version}</Link> },
    { key: "aliases", label: "Aliases", show: (row) => (row.aliases?.length ? <Aliases names={row.aliases} /> : "–") },
    { key: "promotion", label: "Last promotion", show: (row) => <LastPromotion promotion={latest(row.version)} /> },
    { key: "run", label: "Run", show: (row) => (row.run_id ? <Link className="mono" href={`/runs/${row.run_id}`}>{row.run_id.slice(0, 8)}</Link> : "–") },
    { key: "user", label: "By", show: (row) => row.user_id || "–" },
    { key: "created", label: "Registered", fixed: true, show: (row) => <Time value={millis(row.creation_timestamp)} /> },
  ];
  return (
    <Page title={name} about={model.data?.description} crumbs={[{ label: "Models", to: "/models" }]}>
      {model.data?.aliases?.length ? (
        <Card title="Aliases">
          <Facts
            items={model.data.aliases.map(({ alias, version }) => [
              `@${alias}`,
              <Link key={alias} href={`/models/${encodeURIComponent(name)}/${version}`}>
                version {version}
              </Link>,
            ])}
          />
        </Card>
      ) : null}
      <Card title="Versions" flush>
        <Loaded query={versions}>
          {(rows) => (rows.length ? <Table caption="Versions" columns={columns} rows={newestFirst(rows)} id={(row) => row.version} /> : <Empty title="No versions yet" code={`mlflow.register_model("runs:/RUN/model", "${name}")`} />)}
        </Loaded>
      </Card>
      <Policy model={name} />
    </Page>
  );
}

export function Aliases({ names }: { names: string[] }) {
  return (
    <span className="row">
      {names.map((alias) => (
        <Badge key={alias} plain tone="accent">
          @{alias}
        </Badge>
      ))}
    </span>
  );
}

function LastPromotion({ promotion }: { promotion?: Promotion }) {
  if (!promotion) return <span className="muted">–</span>;
  return (
    <Link href={`/approvals/${promotion.id}`}>
      <Status value={promotion.status} />
    </Link>
  );
}

function newestFirst(rows: ModelVersion[]): ModelVersion[] {
  return [...rows].sort((a, b) => Number(b.version) - Number(a.version));
}
