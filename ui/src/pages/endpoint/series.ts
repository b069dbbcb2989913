import type { Alert, RevisionWindow, Window } from "../../api/types";

export function startOf(window: { start: string }): number {
  return new Date(window.start).getTime() / 1000;
}

/** The revision that answered most of a window: the one whose drift counts. */
export function mainOf(window: Window): RevisionWindow | undefined {
  return [...window.revisions].filter((revision) => revision.variant !== "shadow").sort((a, b) => b.rows - a.rows)[0];
}

/** The columns that moved furthest from the reference, in any window. */
export function furthestColumns(windows: Window[], count: number): string[] {
  const peak = new Map<string, number>();
  for (const window of windows) for (const column of mainOf(window)?.drift ?? []) peak.set(column.column, Math.max(peak.get(column.column) ?? 0, column.psi));
  return [...peak].sort((a, b) => b[1] - a[1]).slice(0, count).map(([name]) => name);
}

export interface Stretch {
  from: number;
  to: number;
}

/** The times of alerts of some kinds, those that overlap joined into one. */
export function stretches(alerts: Alert[], kinds: string[]): Stretch[] {
  const found = alerts.filter((alert) => kinds.includes(alert.kind)).map((alert) => ({ from: startOf(alert), to: new Date(alert.end).getTime() / 1000 }));
  const joined: Stretch[] = [];
  for (const next of found.sort((a, b) => a.from - b.from)) {
    const last = joined.at(-1);
    if (last && next.from <= last.to) last.to = Math.max(last.to, next.to);
    else joined.push(next);
  }
  return joined;
}
