import type { Entry } from "./types";

/** The page about what an entry is about, if there is one. */
export function subjectLink(entry: Pick<Entry, "type" | "subject" | "data" | "texts">): string | null {
  const subject = entry.subject as Record<string, string | number | undefined>;
  const name = entry.texts.name ?? entry.texts.model;
  if (subject.promotion) return `/approvals/${subject.promotion}`;
  if (subject.incident && entry.type.startsWith("incident")) return `/alerts/incidents/${subject.incident}`;
  if (subject.alert) return `/alerts/${subject.alert}`;
  if (entry.type.startsWith("pipeline.") && subject.run) return `/pipelines/${subject.run}`;
  if (subject.run) return `/runs/${subject.run}`;
  if (subject.experiment) return `/experiments/${subject.experiment}`;
  const version = String(subject.version ?? "").split("/").at(-1);
  if (name && version && /^\d+$/.test(version)) return `/models/${encodeURIComponent(name)}/${version}`;
  if (subject.model && name) return `/models/${encodeURIComponent(name)}`;
  if (subject.endpoint && entry.type.startsWith("endpoint") && name) return `/endpoints/${encodeURIComponent(name)}`;
  return null;
}
