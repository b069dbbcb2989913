import { useSyncExternalStore } from "react";

export interface Crumb {
  label: string;
  to?: string;
}

let crumbs: Crumb[] = [];
const listeners = new Set<() => void>();

export function setCrumbs(changed: Crumb[]): void {
  crumbs = changed;
  for (const listener of listeners) listener();
}

export function useCrumbs(): Crumb[] {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    () => crumbs,
  );
}
