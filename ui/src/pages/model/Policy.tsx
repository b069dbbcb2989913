import { Link } from "wouter";
import { fullTime } from "../../api/format";
import { useGet } from "../../api/hooks";
import type { StandingApproval, StoredPolicy } from "../../api/types";
import { Badge, Card, Empty, Facts, Failure, Skeleton, Time } from "../../parts/Basics";
import { Table } from "../../parts/Table";

/** What a version must show before the model's protected alias may move to it. */
export function Policy({ model }: { model: string }) {
  // Asked for as a list: a model without gates is usual, and no error.
  const policies = useGet<StoredPolicy[]>("/api/v1/policies");
  const stored = policies.data?.find((one) => one.model === model);
  const standing = useGet<StandingApproval[]>("/api/v1/standing-approvals", { query: { model } });
  return (
    <>
      <Card title="Gates">
        {stored ? (
          <Words stored={stored} />
        ) : policies.data ? (
          <Empty title="No gates guard this model" code={`[gates.${model}]\nalias = "champion"\nmetrics = [{ metric = "auc", min = 0.62 }]\napprovals = 1`}>
            Anybody who may promote can move its aliases. Write gates into modelkeel.toml, then run modelkeel apply.
          </Empty>
        ) : policies.error ? (
          <Failure error={policies.error} />
        ) : (
          <Skeleton rows={3} />
        )}
      </Card>
      {standing.data && standing.data.length > 0 && <Standing rows={standing.data} />}
    </>
  );
}

function Words({ stored }: { stored: StoredPolicy }) {
  const { policy } = stored;
  const bounds = (policy.metrics ?? []).map((bound) => `${bound.metric}${bound.min != null ? ` ≥ ${bound.min}` : ""}${bound.max != null ? ` ≤ ${bound.max}` : ""}`);
  const approvals = policy.approvals ?? 0;
  const needed = typeof approvals === "number" ? approvals : (approvals.count ?? 1);
  return (
    <Facts
      items={[
        ["Protects", <Badge key="a" plain tone="accent">@{policy.alias ?? "champion"}</Badge>],
        ["Metrics", bounds.join(", ")],
        ["Schema", policy.schema ? "inputs and outputs must be described" : ""],
        ["Approvals", needed ? `${needed} by people other than the author` : "none needed"],
        ["Against the champion", policy.better_than_champion ? `${policy.better_than_champion.metric} must be better on the same data` : ""],
        ["Policy", <span key="d" className="mono" title={stored.digest}>{stored.digest.slice(0, 16)}</span>],
        ["Set", <span key="s">{fullTime(stored.set_at)}, <Link href={`/ledger/${stored.entry}`}>entry {stored.entry}</Link></span>],
      ]}
    />
  );
}

function Standing({ rows }: { rows: StandingApproval[] }) {
  return (
    <Card title="Standing approvals" flush note="An approver's word in advance, for candidates that the server makes by itself.">
      <Table
        caption="Standing approvals"
        rows={rows}
        id={(row) => row.id}
        columns={[
          { key: "by", label: "By", title: true, show: (row) => row.name },
          { key: "bar", label: "Bar", show: (row) => `${row.metric} ≥ ${row.min}` },
          { key: "left", label: "Left", number: true, show: (row) => `${row.left} of ${row.promotions}` },
          { key: "expires", label: "Expires", fixed: true, show: (row) => <Time value={row.expires} /> },
          { key: "state", label: "State", show: (row) => (row.revoked ? <Badge tone="bad">Revoked</Badge> : new Date(row.expires).getTime() < Date.now() ? <Badge>Expired</Badge> : row.left ? <Badge tone="ok">In force</Badge> : <Badge>Used up</Badge>) },
          { key: "entry", label: "Entry", number: true, show: (row) => <Link href={`/ledger/${row.entry}`}>#{row.entry}</Link> },
        ]}
      />
    </Card>
  );
}
