import { Link } from "wouter";
import { useChange, useGet } from "../../api/hooks";
import type { Trigger } from "../../api/types";
import { useMe } from "../../app/Who";
import { Badge, Card, Empty, Status, Time } from "../../parts/Basics";
import { Loaded } from "../../parts/Loaded";
import { Table, type Column } from "../../parts/Table";

/** What starts pipelines without a person, and a hand in it. */
export function Triggers() {
  const triggers = useGet<Trigger[]>("/api/v1/triggers", { every: 5000 });
  const me = useMe();
  const may = me?.permissions.some((one) => one === "track") ?? false;
  const columns: Column<Trigger>[] = [
    { key: "name", label: "Trigger", title: true, show: (one) => <span>{one.name} {one.paused && <Badge tone="warn">paused</Badge>}</span> },
    { key: "pipeline", label: "Pipeline", show: (one) => <Link href={`/pipelines?pipeline=${encodeURIComponent(one.config.pipeline)}`}>{one.config.pipeline}</Link> },
    { key: "starts", label: "Starts", show: (one) => <span className="small wrap">{starts(one)}</span> },
    { key: "next", label: "Next", show: (one) => (one.next_due ? <Time value={one.next_due} /> : "–") },
    { key: "last", label: "Last", show: (one) => <Last trigger={one} /> },
    { key: "hand", label: "", show: (one) => (may ? <Hand trigger={one} /> : null) },
  ];
  return (
    <Card title="Triggers" flush>
      <Loaded query={triggers} rows={2}>
        {(found) =>
          found.length ? (
            <Table caption="Triggers" columns={columns} rows={found} id={(one) => one.id} />
          ) : (
            <Empty title="Nothing starts by itself yet" code={'$ modelkeel trigger set nightly train --cron "0 2 * * *"'}>
              A clock, an entry of the ledger, new data or a signed call can start a pipeline:
            </Empty>
          )
        }
      </Loaded>
    </Card>
  );
}

function starts({ config }: Trigger): string {
  if (config.cron) return `${config.cron} ${config.timezone}`;
  if (config.on) return `on ${config.on} ${Object.entries(config.where ?? {}).map(([name, value]) => `${name}=${value}`).join(" ")}`.trim();
  return config.path ? `changes of ${config.path}` : "signed calls";
}

function Last({ trigger: { last } }: { trigger: Trigger }) {
  if (!last) return <span className="muted">never</span>;
  return (
    <span className="row" title={last.why || undefined}>
      <Status value={last.status} /> {last.run_id ? <Link href={`/pipelines/${last.run_id}`}><Time value={last.due} /></Link> : <Time value={last.due} />}
    </span>
  );
}

function Hand({ trigger }: { trigger: Trigger }) {
  const fire = useChange("Fired");
  const pause = useChange(trigger.paused ? "Goes on" : "Paused");
  const at = `/api/v1/triggers/${encodeURIComponent(trigger.name)}`;
  return (
    <span className="row">
      <button type="button" className="button quiet" disabled={fire.isPending} aria-label={`Run ${trigger.name} now`} onClick={() => fire.mutate({ path: `${at}/fire`, body: { params: {} } })}>
        Run now
      </button>
      <button type="button" className="button quiet" disabled={pause.isPending} aria-label={`${trigger.paused ? "Resume" : "Pause"} ${trigger.name}`} onClick={() => pause.mutate({ path: `${at}/pause`, body: { paused: !trigger.paused } })}>
        {trigger.paused ? "Resume" : "Pause"}
      </button>
    </span>
  );
}
