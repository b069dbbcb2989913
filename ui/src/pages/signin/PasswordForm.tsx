import { useMutation } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { post } from "../../api/client";
import { Failure } from "../../parts/Basics";
import { useWait } from "./useWait";

export function PasswordForm({ onDone }: { onDone: () => void }) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const first = useRef<HTMLInputElement>(null);
  const secret = useRef<HTMLInputElement>(null);
  useEffect(() => first.current?.focus(), []);
  const change = useMutation<unknown, Error>({
    mutationFn: () => post("/api/v1/sessions", { name: name.trim(), password }),
    onSuccess: onDone,
    onError: () => {
      setPassword("");
      secret.current?.focus();
    },
  });
  const wait = useWait(change.error);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (wait === 0 && !change.isPending) change.mutate();
      }}
    >
      {change.error && <Failure error={change.error} />}
      <label className="field">
        Name
        <input ref={first} className="input" name="username" autoComplete="username" autoCapitalize="none" spellCheck={false} required value={name} onChange={(event) => setName(event.target.value)} />
      </label>
      <label className="field">
        Password
        <input ref={secret} className="input" type="password" name="password" autoComplete="current-password" required value={password} onChange={(event) => setPassword(event.target.value)} />
      </label>
      <button type="submit" className="button primary" disabled={change.isPending || wait > 0}>
        {wait > 0 ? `Wait ${wait} s` : change.isPending ? "Signing in…" : "Sign in"}
      </button>
    </form>
  );
}
