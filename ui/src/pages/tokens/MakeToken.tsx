import { useState } from "react";
import { useChange } from "../../api/hooks";
import type { MintedToken } from "../../api/types";
import { useMe } from "../../app/Who";
import { Dialog } from "../../parts/Dialog";

const DAY = 86_400;
const LIVES: [string, number | null][] = [
  ["30 days", 30 * DAY],
  ["90 days", 90 * DAY],
  ["1 year", 365 * DAY],
  ["for ever", null],
];

/** Asks for a token: what for, for how long, and how narrow. */
export function MakeToken({ onClose, onMade }: { onClose: () => void; onMade: (token: MintedToken) => void }) {
  const me = useMe();
  const [name, setName] = useState("");
  const [life, setLife] = useState(1);
  const [chosen, setChosen] = useState<string[]>([]);
  const [everywhere, setEverywhere] = useState(false);
  const change = useChange<unknown, MintedToken>("Token made", onMade);
  const flip = (permission: string) => setChosen(chosen.includes(permission) ? chosen.filter((one) => one !== permission) : [...chosen, permission]);
  const send = () => change.mutate({ path: "/api/v1/tokens", body: { name: name.trim(), seconds: LIVES[life]?.[1] ?? null, permissions: chosen.length ? chosen : null, everywhere } });
  return (
    <Dialog title="New token" submit="Make" busy={change.isPending} onSubmit={send} onClose={onClose}>
      <label>
        Name
        <input className="input" required maxLength={100} value={name} placeholder="nightly training" onChange={(event) => setName(event.target.value)} />
      </label>
      <label>
        Valid for
        <select className="input" value={life} onChange={(event) => setLife(Number(event.target.value))}>
          {LIVES.map(([words], at) => (
            <option key={words} value={at}>
              {words}
            </option>
          ))}
        </select>
      </label>
      <fieldset className="checks">
        <legend className="small muted">It may do only this; nothing ticked: all that you may</legend>
        {(me?.permissions ?? []).map((permission) => (
          <label key={permission} className="check">
            <input type="checkbox" checked={chosen.includes(permission)} onChange={() => flip(permission)} />
            {permission}
          </label>
        ))}
      </fieldset>
      {(me?.workspaces.length ?? 0) > 1 && (
        <label className="check">
          <input type="checkbox" checked={everywhere} onChange={() => setEverywhere(!everywhere)} />
          In each of my workspaces, not only in {me?.workspace.name}
        </label>
      )}
    </Dialog>
  );
}
