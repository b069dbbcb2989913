import type { Tone } from "../parts/Basics";

const TONES: Record<string, Tone> = {
  finished: "ok", launched: "ok", ready: "ok", completed: "ok", committed: "ok", approved: "ok", passed: "ok", resolved: "ok", closed: "ok", identical: "ok", equivalent: "ok", cached: "info",
  running: "info", launching: "info", preparing: "info", stepping: "info", shadow: "info", scheduled: "info", started: "info",
  waiting: "warn", waiting_approval: "warn", open: "warn", acknowledged: "info", native: "warn",
  failed: "bad", refused: "bad", rejected: "bad", killed: "bad", aborted: "bad", diverged: "bad",
  voided: "", retired: "", skipped: "",
};

export function toneOfStatus(status: string): Tone {
  return TONES[status.toLowerCase()] ?? "";
}

export function statusWords(status: string): string {
  const words = status.toLowerCase().replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
