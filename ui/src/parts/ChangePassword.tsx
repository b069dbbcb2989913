import { useState } from "react";
import { useChange } from "../api/hooks";
import { Failure } from "./Basics";
import { Dialog } from "./Dialog";
import { NewPassword } from "./NewPassword";

/** A new password: one's own with the current one, somebody else's by who keeps the installation. */
export function ChangePassword({ user, own, current, onClose }: { user: { id: string; name: string }; own: boolean; current: boolean; onClose: () => void }) {
  const [old, setOld] = useState("");
  const [password, setPassword] = useState("");
  const change = useChange(own ? "Your password is changed" : `The password of ${user.name} is set`, onClose, { quiet: true });
  const body = { password, current: own && current ? old : null };
  return (
    <Dialog title={own ? "Your password" : `Password of ${user.name}`} submit="Set the password" busy={change.isPending} onSubmit={() => change.mutate({ method: "PUT", path: `/api/v1/users/${user.id}/password`, body })} onClose={onClose}>
      {change.error && <Failure error={change.error} />}
      {/* For password managers: which account this is about. */}
      <input type="text" name="username" autoComplete="username" value={user.name} readOnly hidden />
      {own && current && (
        <label className="field">
          Current password
          <input className="input" type="password" name="password" autoComplete="current-password" required autoFocus value={old} onChange={(event) => setOld(event.target.value)} />
        </label>
      )}
      <NewPassword label="New password" value={password} onChange={setPassword} />
      <p className="muted small">{own ? "Your sessions in other browsers end." : "Tell it to them by a safe way; they can change it. Their sessions end."}</p>
    </Dialog>
  );
}
