import { useState } from "react";
import { useChange, useGet } from "../api/hooks";
import { fullTime } from "../api/format";
import type { MintedToken, Token } from "../api/types";
import { Badge, Card, Empty, Time } from "../parts/Basics";
import { Dialog } from "../parts/Dialog";
import { Loaded } from "../parts/Loaded";
import { Page } from "../parts/Page";
import { Table, type Column } from "../parts/Table";
import { Secret } from "../parts/Secret";
import { MakeToken } from "./tokens/MakeToken";
import { Sessions } from "./tokens/Sessions";

/** The caller's tokens, with which programs sign in, and the browsers in which they are signed in. */
export function Tokens() {
  const tokens = useGet<Token[]>("/api/v1/tokens");
  const [making, setMaking] = useState(false);
  const [made, setMade] = useState<MintedToken | null>(null);
  return (
    <Page
      title="My tokens and sessions"
      about="Programs sign in with a token: MODELKEEL_TOKEN for our command line and SDK, MLFLOW_TRACKING_TOKEN for the mlflow client."
      actions={
        <button type="button" className="button primary" onClick={() => setMaking(true)}>
          New token
        </button>
      }
    >
      {made && <Secret title="Your new token" secret={made.secret} onDone={() => setMade(null)} />}
      <Card title="Tokens" flush>
        <Loaded query={tokens}>
          {(rows) => (rows.length ? <Table caption="My tokens" columns={COLUMNS} rows={rows} id={(row) => row.id} /> : <Empty title="You have no tokens">Make one for each program, so that each can be revoked alone.</Empty>)}
        </Loaded>
      </Card>
      <Sessions />
      {making && (
        <MakeToken
          onClose={() => setMaking(false)}
          onMade={(token) => {
            setMade(token);
            setMaking(false);
          }}
        />
      )}
    </Page>
  );
}

const COLUMNS: Column<Token>[] = [
  { key: "name", label: "Name", title: true, show: (row) => row.name || <span className="mono">{row.id.slice(0, 13)}</span> },
  { key: "may", label: "May", show: (row) => <Scope token={row} /> },
  { key: "where", label: "Workspace", show: (row) => row.workspace ?? <span className="muted">all of yours</span> },
  { key: "created", label: "Made", fixed: true, show: (row) => <Time value={row.created} /> },
  { key: "used", label: "Last used", fixed: true, show: (row) => (row.last_used ? <Time value={row.last_used} /> : <span className="muted">never</span>) },
  { key: "expires", label: "Expires", fixed: true, show: (row) => (row.expires ? <span title={fullTime(row.expires)}><Time value={row.expires} /></span> : <span className="muted">never</span>) },
  { key: "end", label: "", show: (row) => <Revoke token={row} /> },
];

function Scope({ token }: { token: Token }) {
  const permissions = token.permissions;
  if (!permissions) return <span className="muted">what you may</span>;
  return (
    <span className="row">
      {permissions.map((one) => (
        <Badge key={one} plain tone="accent">
          {one}
        </Badge>
      ))}
    </span>
  );
}

function Revoke({ token }: { token: Token }) {
  const [asked, setAsked] = useState(false);
  const change = useChange("Revoked", () => setAsked(false));
  return (
    <>
      <button type="button" className="button danger" aria-label={`Revoke ${token.name || token.id}`} onClick={() => setAsked(true)}>
        Revoke
      </button>
      {asked && (
        <Dialog title={`Revoke ${token.name || "this token"}`} submit="Revoke" danger busy={change.isPending} onSubmit={() => change.mutate({ method: "DELETE", path: `/api/v1/tokens/${token.id}` })} onClose={() => setAsked(false)}>
          <p className="muted small">Programs that use it are refused from now on. This can't be undone.</p>
        </Dialog>
      )}
    </>
  );
}
