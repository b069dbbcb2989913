import { useEffect, useRef } from "react";
import { useLocation } from "wouter";
import { useGet } from "../api/hooks";
import type { Me } from "../api/types";
import { Badge } from "../parts/Basics";
import { WhoMenu } from "./WhoMenu";

export function useMe(): Me | undefined {
  return useGet<Me>("/api/v1/me").data;
}

export function useMay(permission: string): boolean {
  return useMe()?.permissions.some((one) => one === permission) ?? false;
}

/** Whether one keeps the whole installation: everybody's accounts, every workspace. */
export function useKeepsInstallation(): boolean {
  return useMe()?.installation.some((one) => one === "grant") ?? false;
}

/** Who the server takes this browser for, where they work, and how to become somebody else. */
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
    const onKey = (event: KeyboardEvent) => {
      if (event.key !== "Escape" || !box.current?.open || box.current.querySelector("dialog[open]")) return;
      close();
      box.current.querySelector("summary")?.focus();
    };
    document.addEventListener("pointerdown", outside);
    document.addEventListener("keydown", onKey);
    return () => {
      document.removeEventListener("pointerdown", outside);
      document.removeEventListener("keydown", onKey);
    };
  }, []);
  const anonymous = me?.kind === "anonymous";
  const name = me?.name ?? (error ? "nobody" : "…");
  return (
    <details className="who" ref={box}>
      <summary className="button quiet" aria-label={`You are ${name}`}>
        <span className="avatar" aria-hidden="true">
          {name.slice(0, 1).toUpperCase()}
        </span>
        <span className="who-name">
          {anonymous ? "Local user" : name}
          {me && me.workspaces.length > 1 && <span className="muted"> · {me.workspace.name}</span>}
        </span>
      </summary>
      <div className="popover stack tight">
        <div className="row apart">
          <strong>{name}</strong>
          {me && <Badge plain>{me.kind === "user" ? "person" : me.kind}</Badge>}
        </div>
        {me ? <WhoMenu me={me} /> : <p className="muted small">{error?.message}</p>}
      </div>
    </details>
  );
}
