import { useState } from "react";
import { Link, useLocation } from "wouter";
import { useChange } from "../api/hooks";
import type { Me } from "../api/types";
import { Badge, Time } from "../parts/Basics";
import { ChangePassword } from "../parts/ChangePassword";
import { startAnew } from "./anew";
import { NAV } from "./nav";
import { askToSignIn, chooseWorkspace } from "./session";

/** What one may do here, and what one can do about oneself. */
export function WhoMenu({ me }: { me: Me }) {
  const anonymous = me.kind === "anonymous";
  return (
    <>
      {me.workspaces.length > 1 ? <Workspaces me={me} /> : <p className="muted small">Workspace {me.workspace.name}</p>}
      {me.roles.length > 0 && <p className="muted small">{me.roles.join(", ")}, so you may:</p>}
      <div className="row">
        {me.permissions.map((permission) => (
          <Badge key={permission} plain tone="accent">
            {permission}
          </Badge>
        ))}
      </div>
      {anonymous && <p className="muted small">To approve, promote or deploy, sign in.</p>}
      {me.session_expires && (
        <p className="muted small">
          Your session ends <Time value={me.session_expires} />.
        </p>
      )}
      <div className="menu">
        {anonymous ? (
          <button type="button" className="button quiet" onClick={askToSignIn}>
            Sign in
          </button>
        ) : (
          <>
            <Link href="/tokens" className="button quiet">
              My tokens and sessions
            </Link>
            {me.kind === "user" && <Password me={me} />}
            {me.session_expires && <SignOut />}
          </>
        )}
      </div>
    </>
  );
}

function Workspaces({ me }: { me: Me }) {
  const [path, go] = useLocation();
  const choose = (name: string) => {
    chooseWorkspace(name);
    // What a page is about lives in one workspace; its list is in every one.
    const list = `/${path.split("/")[1] ?? ""}`;
    const known = NAV.some((group) => group.links.some((link) => link.to === list));
    go(known || list === "/tokens" ? list : "/", { replace: path === list });
    startAnew();
  };
  return (
    <label className="field">
      Workspace
      <select className="input" value={me.workspace.name} onChange={(event) => choose(event.target.value)}>
        {me.workspaces.map((one) => (
          <option key={one.id}>{one.name}</option>
        ))}
      </select>
    </label>
  );
}

function Password({ me }: { me: Me }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <button type="button" className="button quiet" onClick={() => setOpen(true)}>
        {me.password ? "Change my password" : "Set a password"}
      </button>
      {open && <ChangePassword user={me} current={me.password} own onClose={() => setOpen(false)} />}
    </>
  );
}

function SignOut() {
  const change = useChange("Signed out", startAnew);
  return (
    <button type="button" className="button quiet" disabled={change.isPending} onClick={() => change.mutate({ method: "DELETE", path: "/api/v1/sessions/current" })}>
      Sign out
    </button>
  );
}
