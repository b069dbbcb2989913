import { QueryClient } from "@tanstack/react-query";
import { csrfToken, refused, turn } from "../app/session";

/** What the server says when it can't do as asked: problem details (RFC 9457) with our members. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly hint: string;
  readonly reasons: string[];
  /** Seconds until it makes sense to ask again; 0: nothing was said. */
  readonly wait: number;

  constructor(status: number, detail: string, code = "", hint = "", reasons: string[] = [], wait = 0) {
    super(detail);
    this.status = status;
    this.code = code;
    this.hint = hint;
    this.reasons = reasons;
    this.wait = wait;
  }
}

type Query = Record<string, string | number | boolean | undefined | null>;

export function address(path: string, query: Query = {}): string {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const search = new URLSearchParams(pairs.map(([key, value]) => [key, String(value)])).toString();
  return search ? `${path}?${search}` : path;
}

export function get<T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> {
  return call<T>("GET", address(path, query), undefined, signal);
}

export function post<T>(path: string, body?: unknown): Promise<T> {
  return call<T>("POST", path, body ?? {});
}

/** A change by any method. */
export function send<T>(method: "POST" | "PUT" | "DELETE", path: string, body?: unknown): Promise<T> {
  return call<T>(method, path, method === "POST" ? (body ?? {}) : body);
}

/** The text of an artifact or another file that is not JSON. */
export async function fetchBlob(path: string, signal?: AbortSignal): Promise<Blob> {
  const answer = await reach(path, { signal });
  if (!answer.ok) throw await problem(answer);
  return answer.blob();
}

async function call<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const answer = await reach(path, {
    method,
    signal,
    headers: {
      accept: "application/json",
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...(method === "GET" ? {} : { "x-modelkeel-csrf": csrfToken() }),
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (!answer.ok) throw await problem(answer);
  const text = await answer.text();
  return (text ? JSON.parse(text) : undefined) as T;
}

/** Where a 401 means that what somebody typed was wrong, not that a session is over. */
const SIGNING_IN = new Set(["/api/v1/sessions", "/api/v1/setup"]);

async function reach(path: string, init: RequestInit): Promise<Response> {
  const asked = turn();
  try {
    const answer = await fetch(path, { credentials: "same-origin", ...init });
    if (answer.status === 401 && !(init.method === "POST" && SIGNING_IN.has(path))) refused(asked);
    return answer;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Problem(0, "The server does not answer.", "UNREACHABLE", "Start it again with `modelkeel up`; this page then goes on by itself.");
  }
}

async function problem(answer: Response): Promise<Problem> {
  const fallback = `The server answered ${answer.status} ${answer.statusText}.`;
  try {
    const body = (await answer.json()) as Record<string, unknown>;
    // MLflow's routes answer with `message` and `error_code`.
    const detail = String(body.detail ?? body.message ?? fallback);
    const reasons = Array.isArray(body.reasons) ? body.reasons.map(String) : [];
    return new Problem(answer.status, detail, String(body.code ?? body.error_code ?? ""), String(body.hint ?? ""), reasons, Number(answer.headers.get("retry-after") ?? 0) || 0);
  } catch {
    return new Problem(answer.status, fallback);
  }
}

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 2_000,
      retry: (count, error) => count < 2 && (!(error instanceof Problem) || error.status === 0 || error.status >= 502),
      refetchOnWindowFocus: true,
    },
  },
});
