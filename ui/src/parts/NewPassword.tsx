import { useId, useState } from "react";

/** A field for a new password, which can be looked at while it is typed. */
export function NewPassword({ label, value, onChange }: { label: string; value: string; onChange: (value: string) => void }) {
  const [shown, setShown] = useState(false);
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <span className="with-button">
        <input id={id} className="input" type={shown ? "text" : "password"} name="new-password" autoComplete="new-password" autoCapitalize="none" spellCheck={false} required minLength={12} maxLength={256} value={value} aria-describedby={`${id}-hint`} onChange={(event) => onChange(event.target.value)} />
        <button type="button" className="button" aria-label={shown ? `Hide: ${label}` : `Show: ${label}`} aria-pressed={shown} onClick={() => setShown(!shown)}>
          {shown ? "Hide" : "Show"}
        </button>
      </span>
      <span className="hint" id={`${id}-hint`}>
        12 characters or more. A short sentence is a good one.
      </span>
    </div>
  );
}
