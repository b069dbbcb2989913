import { Problem } from "../api/client";

export interface Toast {
  id: number;
  tone: "ok" | "bad";
  title: string;
  detail: string;
}

type Listener = (toasts: Toast[]) => void;

let toasts: Toast[] = [];
let next = 1;
const listeners = new Set<Listener>();

function publish(changed: Toast[]): void {
  toasts = changed;
  for (const listener of listeners) listener(toasts);
}

function show(tone: Toast["tone"], title: string, detail: string): void {
  const id = next++;
  publish([...toasts.slice(-3), { id, tone, title, detail }]);
  setTimeout(() => dismiss(id), tone === "ok" ? 4000 : 12_000);
}

export function dismiss(id: number): void {
  publish(toasts.filter((toast) => toast.id !== id));
}

export function listen(listener: Listener): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

export function toastDone(title: string): void {
  show("ok", title, "");
}

export function toastProblem(error: Error): void {
  const more = error instanceof Problem ? [...error.reasons, error.hint].filter(Boolean).join(" ") : "";
  show("bad", error.message, more);
}
