import { useState } from "react";
import { useChange, useGet } from "../../api/hooks";
import type { Group, User } from "../../api/types";
import { Dialog } from "../../parts/Dialog";
import type { Grantable } from "./objects";

const PERMISSIONS = ["read", "track", "register", "promote", "approve", "deploy", "predict", "monitor", "policy"];

/** Grants or denies permissions on one object to somebody, or to a group. */
export function AddGrant({ objects }: { objects: Grantable[] }) {
  const users = useGet<User[]>("/api/v1/users");
  const groups = useGet<Group[]>("/api/v1/groups");
  const [open, setOpen] = useState(false);
  const [to, setTo] = useState("");
  const [object, setObject] = useState("");
  const [effect, setEffect] = useState("allow");
  const [permissions, setPermissions] = useState<string[]>(["read"]);
  const change = useChange(effect === "deny" ? "Denied" : "Granted", () => setOpen(false));
  const flip = (name: string) => setPermissions(permissions.includes(name) ? permissions.filter((one) => one !== name) : [...permissions, name]);
  const send = () => {
    const [form, who] = [to.slice(0, 1), to.slice(1)];
    const found = objects[Number(object)];
    if (found) change.mutate({ method: "PUT", path: "/api/v1/grants", body: { to: who, group: form === "g", kind: found.kind, id: found.id, effect, permissions } });
  };
  return (
    <>
      <button type="button" className="button" onClick={() => setOpen(true)}>
        Grant or deny
      </button>
      {open && (
        <Dialog title="Grant or deny" submit={effect === "deny" ? "Deny" : "Grant"} danger={effect === "deny"} busy={change.isPending || permissions.length === 0} onSubmit={send} onClose={() => setOpen(false)}>
          <label>
            Who
            <select className="input" required value={to} onChange={(event) => setTo(event.target.value)}>
              <option value="">Choose…</option>
              {(users.data ?? []).map((user) => (
                <option key={user.id} value={`u${user.name}`}>
                  {user.name}
                </option>
              ))}
              {(groups.data ?? []).map((group) => (
                <option key={group.id} value={`g${group.name}`}>
                  group {group.name}
                </option>
              ))}
            </select>
          </label>
          <label>
            On
            <select className="input" required value={object} onChange={(event) => setObject(event.target.value)}>
              <option value="">Choose…</option>
              {objects.map((one, at) => (
                <option key={`${one.kind}${one.id}`} value={at}>
                  {one.kind} {one.name}
                </option>
              ))}
            </select>
          </label>
          <label>
            Effect
            <select className="input" value={effect} onChange={(event) => setEffect(event.target.value)}>
              <option value="allow">Grant</option>
              <option value="deny">Deny: beats every role and grant</option>
            </select>
          </label>
          <fieldset className="checks">
            <legend className="small muted">Permissions</legend>
            {PERMISSIONS.map((name) => (
              <label key={name} className="check">
                <input type="checkbox" checked={permissions.includes(name)} onChange={() => flip(name)} />
                {name}
              </label>
            ))}
          </fieldset>
        </Dialog>
      )}
    </>
  );
}
