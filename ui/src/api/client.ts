import { QueryClient } from "@tanstack/react-query";

/** What the server says when it can't do as asked: problem details (RFC 9457) with our members. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly hint: string;
  readonly reasons: string[];

  constructor(status: number, detail: string, code = "", hint = "", reasons: string[] = []) {
    super(detail);
    this.status = status;
    this.code = code;
    this.hint = hint;
    this.reasons = reasons;
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

/** The value that proves that a change comes from this page: another site can't read this cookie. */
function csrfToken(): string {
  const pair = document.cookie.split("; ").find((one) => one.startsWith("modelkeel_csrf="));
  return pair ? decodeURIComponent(pair.slice("modelkeel_csrf=".length)) : "";
}

async function reach(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, { credentials: "same-origin", ...init });
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
    return new Problem(answer.status, detail, String(body.code ?? body.error_code ?? ""), String(body.hint ?? ""), reasons);
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
