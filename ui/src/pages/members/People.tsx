import { useState } from "react";
import { useChange, useGet } from "../../api/hooks";
import type { User } from "../../api/types";
import { Badge, Card, Empty, Id } from "../../parts/Basics";
import { Dialog } from "../../parts/Dialog";
import { Loaded } from "../../parts/Loaded";
import { Table, type Column } from "../../parts/Table";
import { ROLES, type RoleName } from "./roles";

export function People({ mayGrant }: { mayGrant: boolean }) {
  const users = useGet<User[]>("/api/v1/users");
  const columns: Column<User>[] = [
    { key: "name", label: "Name", title: true, show: (user) => <strong>{user.name}</strong> },
    { key: "kind", label: "Kind", show: (user) => <Badge plain>{user.kind === "user" ? "person" : user.kind}</Badge> },
    { key: "roles", label: "Roles", show: (user) => <Roles user={user} /> },
    { key: "id", label: "Id", fixed: true, show: (user) => <Id value={user.id} /> },
    ...(mayGrant ? [{ key: "change", label: "", show: (user: User) => <ChangeRoles user={user} /> }] : []),
  ];
  return (
    <Card flush>
      <Loaded query={users}>{(rows) => (rows.length ? <Table caption="Members" columns={columns} rows={rows} id={(row) => row.id} /> : <Empty title="Nobody has an account here yet" />)}</Loaded>
    </Card>
  );
}

function Roles({ user }: { user: User }) {
  if (user.roles.length === 0) return <span className="muted">none</span>;
  return (
    <span className="row">
      {user.roles.map((role) => (
        <Badge key={role} plain tone="accent">
          {role}
        </Badge>
      ))}
    </span>
  );
}

/** Each box is one change of its own, sent at once. */
function ChangeRoles({ user }: { user: User }) {
  const [open, setOpen] = useState(false);
  const change = useChange(`The roles of ${user.name} changed`);
  const flip = (role: RoleName, has: boolean) => change.mutate({ method: has ? "DELETE" : "PUT", path: `/api/v1/users/${user.id}/roles/${role}` });
  return (
    <>
      <button type="button" className="button" aria-label={`Roles of ${user.name}`} onClick={() => setOpen(true)}>
        Roles
      </button>
      {open && (
        <Dialog title={`Roles of ${user.name}`} submit="Done" onSubmit={() => setOpen(false)} onClose={() => setOpen(false)}>
          <div className="stack tight">
            {ROLES.map(([role, what]) => {
              const has = user.roles.some((one) => one === role);
              return (
                <label key={role} className="check">
                  <input type="checkbox" checked={has} disabled={change.isPending} onChange={() => flip(role, has)} />
                  <span>
                    {role} <span className="muted">{what}</span>
                  </span>
                </label>
              );
            })}
          </div>
        </Dialog>
      )}
    </>
  );
}
