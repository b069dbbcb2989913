import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { post } from "../../api/client";
import { Failure } from "../../parts/Basics";
import { NewPassword } from "../../parts/NewPassword";

/** The first account of a fresh server. The code proves that whoever fills this in can read the server's terminal. */
export function SetupForm({ code: given, onDone }: { code: string; onDone: () => void }) {
  const [code, setCode] = useState(given);
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const first = useRef<HTMLInputElement>(null);
  const client = useQueryClient();
  useEffect(() => first.current?.focus(), []);
  const change = useMutation<unknown, Error>({
    mutationFn: async () => {
      await post("/api/v1/setup", { code: code.trim(), name: name.trim(), password });
      await post("/api/v1/sessions", { name: name.trim(), password });
    },
    onSuccess: onDone,
    // Somebody else may have been quicker: then there is a form to sign in with.
    onError: () => client.invalidateQueries({ queryKey: ["/api/v1/sign-in"] }),
  });
  const enter = useMutation<unknown, Error>({ mutationFn: () => post("/api/v1/sessions", { code: code.trim() }), onSuccess: onDone });
  const error = change.error ?? enter.error;
  const busy = change.isPending || enter.isPending;
  return (
    <>
      <p className="muted small">This server is new: nobody has an account yet. Yours is the first, and it administers the server.</p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          enter.reset();
          change.mutate();
        }}
      >
        {error && <Failure error={error} />}
        {!given && (
          <label className="field">
            One-time code
            <input ref={first} className="input mono" autoComplete="off" autoCapitalize="none" spellCheck={false} required value={code} onChange={(event) => setCode(event.target.value)} aria-describedby="code-hint" />
            <span className="hint" id="code-hint">
              It ends the page address that <code>modelkeel up</code> printed; <code>modelkeel login --page</code> prints a new one.
            </span>
          </label>
        )}
        <label className="field">
          Name
          <input ref={given ? first : undefined} className="input" name="username" autoComplete="username" autoCapitalize="none" spellCheck={false} required value={name} onChange={(event) => setName(event.target.value)} />
        </label>
        <NewPassword label="Password" value={password} onChange={setPassword} />
        <button type="submit" className="button primary" disabled={busy}>
          Set up my account
        </button>
      </form>
      {code.trim() && (
        <>
          <div className="or">or</div>
          <button
            type="button"
            className="button"
            disabled={busy}
            onClick={() => {
              change.reset();
              enter.mutate();
            }}
          >
            Go on as the owner, without a password
          </button>
          <p className="muted small">This browser then stays signed in for a week at most. You can set up the account later.</p>
        </>
      )}
    </>
  );
}
