import { Link } from "wouter";
import { count, figure, fullTime, money, seconds } from "../api/format";
import { useGet } from "../api/hooks";
import type { Bill, CostLine } from "../api/types";
import { Card, Empty, Facts, Stat } from "../parts/Basics";
import { Loaded } from "../parts/Loaded";
import { Page } from "../parts/Page";
import { Table, type Column } from "../parts/Table";

/** The bill: what everything has cost, how that was reckoned, and what the cache spared. */
export function Costs() {
  const bill = useGet<Bill>("/api/v1/costs", { every: 15_000 });
  return (
    <Page title="Costs" about="Measured processor time, memory and storage, at the prices of modelkeel.toml.">
      <Loaded query={bill} rows={8}>
        {(data) => <Whole bill={data} />}
      </Loaded>
    </Page>
  );
}

function Whole({ bill }: { bill: Bill }) {
  const amount = (value: number) => money(value, bill.currency);
  const spent = bill.total > 0 || bill.pipelines.length > 0 || bill.endpoints.length > 0;
  return (
    <>
      {bill.prices.default && (
        <p className="notice">
          These are default prices. Set your own in the table [prices] of modelkeel.toml, then run <code>modelkeel apply</code>.
        </p>
      )}
      <div className="stats">
        <Stat label="So far" value={amount(bill.total)} note={`as of ${fullTime(bill.made_at)}`} />
        <Stat label="Spared by the cache" value={amount(bill.savings.amount)} note={`${count(bill.savings.cached_steps)} steps, ${seconds(bill.savings.seconds)}`} />
        <Stat label="Storage" value={amount(bill.storage.amount)} />
        {bill.per_1000_predictions.map((line) => (
          <Stat key={line.endpoint} label={`1,000 predictions, ${line.endpoint}`} value={amount(line.serving)} note={`${amount(line.with_training)} with training`} />
        ))}
      </div>
      {!spent && (
        <Card>
          <Empty title="Nothing has cost anything yet">Run a pipeline or deploy a model; its measured use appears here.</Empty>
        </Card>
      )}
      <Lines title="By pipeline" lines={bill.pipelines} unit="Runs" total={bill.total} amount={amount} to={(line) => `/pipelines?pipeline=${encodeURIComponent(line.name)}`} />
      <Lines title="By model" lines={bill.models} unit="Versions" total={bill.total} amount={amount} to={(line) => `/models/${encodeURIComponent(line.name)}`} note="Another view of the same costs: the runs that made its versions, and serving them." />
      <Lines title="By endpoint" lines={bill.endpoints} unit="Rows" total={bill.total} amount={amount} to={(line) => `/endpoints/${encodeURIComponent(line.name)}`} />
      <Lines title="Dearest runs" lines={bill.runs} unit="" total={bill.total} amount={amount} to={(line) => `/runs/${line.id}`} />
      <Prices bill={bill} />
    </>
  );
}

interface LinesProps {
  title: string;
  lines: CostLine[];
  unit: string;
  total: number;
  amount: (value: number) => string;
  to: (line: CostLine) => string;
  note?: string;
}

function Lines({ title, lines, unit, total, amount, to, note }: LinesProps) {
  if (lines.length === 0) return null;
  const columns: Column<CostLine>[] = [
    { key: "name", label: "Name", title: true, show: (line) => <Link href={to(line)}>{line.name}</Link> },
    { key: "amount", label: "Cost", number: true, show: (line) => amount(line.amount) },
    { key: "share", label: "Of the whole", show: (line) => <Share value={total > 0 ? line.amount / total : 0} /> },
    ...(unit ? [{ key: "count", label: unit, number: true, show: (line: CostLine) => count(line.count ?? 0) }] : []),
    { key: "cpu", label: "Processor", number: true, show: (line) => seconds(line.cpu_seconds ?? 0) },
    { key: "memory", label: "Memory, GiB·h", number: true, show: (line) => figure((line.gib_seconds ?? 0) / 3600, 3) },
    { key: "how", label: "How", show: (line) => <span className="muted tiny">{line.how}</span> },
  ];
  return (
    <Card title={title} flush note={note}>
      <Table caption={title} columns={columns} rows={lines} id={(line) => line.id || line.name} />
    </Card>
  );
}

function Share({ value }: { value: number }) {
  return (
    <span className="meter" role="img" aria-label={`${Math.round(value * 100)} percent`} style={{ minWidth: 80 }}>
      <span style={{ width: `${Math.min(100, value * 100)}%` }} />
    </span>
  );
}

function Prices({ bill }: { bill: Bill }) {
  const { prices, set_at, entry } = bill.prices;
  const exact = (value: number | undefined) => `${value} ${bill.currency}`;
  return (
    <Card title="Prices">
      <Facts
        items={[
          ["Processor, an hour", exact(prices.cpu_hour)],
          ["Memory, a GiB-hour", exact(prices.gib_hour)],
          ["Storage, a GiB-month", exact(prices.storage_gib_month)],
          ["Set", set_at ? fullTime(set_at) : "defaults"],
          ["Entry", entry !== null && entry !== undefined ? <Link key="e" href={`/ledger/${entry}`}>#{entry}</Link> : ""],
        ]}
      />
    </Card>
  );
}
