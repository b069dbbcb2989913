import { useEffect, useRef } from "react";
import { useLocation } from "wouter";
import { useGet } from "../api/hooks";
import type { Me } from "../api/types";
import { Badge } from "../parts/Basics";

export function useMe(): Me | undefined {
  return useGet<Me>("/api/v1/me").data;
}

export function useMay(permission: string): boolean {
  return useMe()?.permissions.some((one) => one === permission) ?? false;
}

/** Who the server takes this browser for, and how to become somebody else. */
export function Who() {
  const { data: me, error } = useGet<Me>("/api/v1/me");
  const box = useRef<HTMLDetailsElement>(null);
  const [path] = useLocation();
  const close = () => box.current?.removeAttribute("open");
  useEffect(close, [path]);
  useEffect(() => {
    const outside = (event: Event) => {
      if (!box.current?.contains(event.target as Node)) close();
    };
    const onKey = (event: KeyboardEvent) => event.key === "Escape" && close();
    document.addEventListener("pointerdown", outside);
    document.addEventListener("keydown", onKey);
    return () => {
      document.removeEventListener("pointerdown", outside);
      document.removeEventListener("keydown", onKey);
    };
  }, []);
  const anonymous = me?.kind === "anonymous";
  const name = me?.name ?? (error ? "not signed in" : "…");
  return (
    <details className="who" ref={box}>
      <summary className="button quiet" aria-label={`You are ${name}`}>
        <span className="avatar" aria-hidden="true">
          {name.slice(0, 1).toUpperCase()}
        </span>
        <span className="who-name">{anonymous ? "Local user" : name}</span>
      </summary>
      <div className="popover stack tight">
        <div className="row apart">
          <strong>{name}</strong>
          {me && <Badge plain>{me.kind}</Badge>}
        </div>
        {me ? (
          <div className="row">
            {me.permissions.map((permission) => (
              <Badge key={permission} plain tone="accent">
                {permission}
              </Badge>
            ))}
          </div>
        ) : (
          <p className="muted small">{error?.message}</p>
        )}
        {(anonymous || error) && (
          <p className="muted small">
            To approve, promote or deploy here, open the page link that <code>modelkeel up</code> printed in its terminal. The link works once; restarting the server
            prints a new one.
          </p>
        )}
      </div>
    </details>
  );
}
