import { useChange, useGet } from "../../api/hooks";
import type { Session } from "../../api/types";
import { Badge, Card, Empty, Time } from "../../parts/Basics";
import { Loaded } from "../../parts/Loaded";
import { Table, type Column } from "../../parts/Table";

const WAYS: Record<string, string> = { password: "Password", code: "One-time link", oidc: "Sign-in provider" };

const COLUMNS: Column<Session>[] = [
  { key: "method", label: "Signed in by", title: true, show: (row) => <Way session={row} /> },
  { key: "created", label: "Since", fixed: true, show: (row) => <Time value={row.created} /> },
  { key: "seen", label: "Last seen", fixed: true, show: (row) => <Time value={row.last_seen} /> },
  { key: "expires", label: "Ends", fixed: true, show: (row) => <Time value={row.expires} /> },
  { key: "end", label: "", show: (row) => (row.current ? null : <End session={row} />) },
];

/** The browsers in which the caller is signed in. */
export function Sessions() {
  const sessions = useGet<Session[]>("/api/v1/sessions");
  return (
    <Card title="Sessions" flush>
      <Loaded query={sessions}>
        {(rows) => (rows.length ? <Table caption="My sessions" columns={COLUMNS} rows={rows} id={(row) => row.id} /> : <Empty title="No browser is signed in as you" />)}
      </Loaded>
    </Card>
  );
}

function Way({ session }: { session: Session }) {
  return (
    <span className="row">
      {WAYS[session.method] ?? session.method}
      {session.current && (
        <Badge plain tone="ok">
          this browser
        </Badge>
      )}
    </span>
  );
}

function End({ session }: { session: Session }) {
  const change = useChange("The session has ended");
  return (
    <button type="button" className="button" disabled={change.isPending} onClick={() => change.mutate({ method: "DELETE", path: `/api/v1/sessions/${session.id}` })}>
      End
    </button>
  );
}
