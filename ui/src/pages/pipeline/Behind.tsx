import { bytes } from "../../api/format";
import type { PipelineRun } from "../../api/types";
import { Badge, Card, Copy, Facts } from "../../parts/Basics";

/** Code, environment, machine and params of a run. */
export function Behind({ run }: { run: PipelineRun }) {
  const { snapshot, environment } = run;
  return (
    <div className="grid">
      <div className="span-6">
        <Card title="Code and params">
          <Facts
            items={[
              ["Target", <code key="t">{run.target}</code>],
              ["Commit", snapshot?.commit ? <span key="c" className="mono">{snapshot.commit.slice(0, 12)} {snapshot.dirty && <Badge tone="warn">with uncommitted changes</Badge>}</span> : "not in a git repository"],
              ["Snapshot", snapshot ? <Digest key="s" value={snapshot.digest} note={`${snapshot.files} files, ${bytes(snapshot.size)}`} /> : "not captured"],
              ["Code", <Digest key="d" value={run.code} />],
              ...Object.entries(run.params).map(([name, value]): [string, React.ReactNode] => [name, <span key={name} className="mono wrap">{JSON.stringify(value)}</span>]),
            ]}
          />
        </Card>
      </div>
      <div className="span-6">
        <Card title="Environment and machine">
          <Facts
            items={[
              ["Python", environment?.python ?? run.python],
              ["Platform", environment?.platform],
              ["Packages", environment ? `${environment.packages}, locked with hashes` : "not captured"],
              ["Lock", environment?.lock ? <Digest key="l" value={environment.lock} /> : ""],
              ...Object.entries(run.machine).map(([name, value]): [string, React.ReactNode] => [name, <span key={name} className="wrap">{typeof value === "object" ? JSON.stringify(value) : String(value)}</span>]),
              ...run.data.map((data): [string, React.ReactNode] => [`data: ${data.name}`, <Digest key={data.name} value={data.value.digest} note={data.pinned ? "kept" : "named only"} />]),
            ]}
          />
        </Card>
      </div>
    </div>
  );
}

function Digest({ value, note }: { value: string; note?: string }) {
  return (
    <span className="mono" title={value}>
      {value.slice(0, 16)}
      <Copy value={value} /> {note && <span className="muted tiny">{note}</span>}
    </span>
  );
}
