import { useState } from "react";
import { useChange } from "../../api/hooks";
import { Dialog } from "../../parts/Dialog";
import { ROLES } from "./roles";

export function AddUser() {
  const [open, setOpen] = useState(false);
  const [name, setName] = useState("");
  const [kind, setKind] = useState("user");
  const [roles, setRoles] = useState<string[]>(["contributor"]);
  const change = useChange("Added", () => {
    setOpen(false);
    setName("");
  });
  const flip = (role: string) => setRoles(roles.includes(role) ? roles.filter((one) => one !== role) : [...roles, role]);
  return (
    <>
      <button type="button" className="button primary" onClick={() => setOpen(true)}>
        Add a member
      </button>
      {open && (
        <Dialog title="Add a member" submit="Add" busy={change.isPending} onSubmit={() => change.mutate({ path: "/api/v1/users", body: { name: name.trim(), roles, kind } })} onClose={() => setOpen(false)}>
          <label>
            Name
            <input className="input" required value={name} autoCapitalize="none" spellCheck={false} onChange={(event) => setName(event.target.value)} />
          </label>
          <label>
            Kind
            <select className="input" value={kind} onChange={(event) => setKind(event.target.value)}>
              <option value="user">A person</option>
              <option value="service">A service account: a program of its own</option>
            </select>
          </label>
          <fieldset className="checks wide">
            <legend className="small muted">Roles</legend>
            {ROLES.map(([role, what]) => (
              <label key={role} className="check">
                <input type="checkbox" checked={roles.includes(role)} onChange={() => flip(role)} />
                <span>
                  {role} <span className="muted">{what}</span>
                </span>
              </label>
            ))}
          </fieldset>
        </Dialog>
      )}
    </>
  );
}
