import type { Entry } from "./types";

/** The page about what an entry is about, if there is one. */
export function subjectLink(entry: Entry): string | null {
  const subject = entry.subject as Record<string, string | number | undefined>;
  if (subject.run) return `/runs/${subject.run}`;
  if (subject.experiment) return `/experiments/${subject.experiment}`;
  return null;
}
