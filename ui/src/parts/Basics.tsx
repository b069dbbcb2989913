import { useState, type ReactNode } from "react";
import { Link } from "wouter";
import { Problem } from "../api/client";
import { ago, fullTime, shortId } from "../api/format";
import { statusWords, toneOfStatus } from "../api/status";
import { Icon } from "./Icon";

export type Tone = "ok" | "warn" | "bad" | "info" | "accent" | "";

export function Badge({ tone = "", plain = false, children }: { tone?: Tone; plain?: boolean; children: ReactNode }) {
  return <span className={`badge ${tone} ${plain ? "plain" : ""}`}>{children}</span>;
}

export function Time({ value }: { value: string | number | null | undefined }) {
  if (value === null || value === undefined || value === "") return <span className="muted">–</span>;
  return (
    <time className="nowrap" dateTime={new Date(value).toISOString()} title={fullTime(value)}>
      {ago(value)}
    </time>
  );
}

/** An opaque id, shortened, with a button that copies the whole. */
export function Id({ value, length = 8, to }: { value: string; length?: number; to?: string }) {
  const text = shortId(value, length);
  return (
    <span className="id" title={value}>
      {to ? <Link href={to}>{text}</Link> : text}
      <Copy value={value} />
    </span>
  );
}

export function Copy({ value, label = "Copy" }: { value: string; label?: string }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(value);
    setDone(true);
    setTimeout(() => setDone(false), 1200);
  };
  return (
    <button type="button" className="copy" aria-label={done ? "Copied" : `${label} ${value.slice(0, 12)}`} onClick={copy}>
      <Icon name={done ? "done" : "copy"} size={13} />
    </button>
  );
}

export function Card({ title, actions, note, className = "", flush = false, children }: { title?: ReactNode; actions?: ReactNode; note?: ReactNode; className?: string; flush?: boolean; children: ReactNode }) {
  return (
    <section className={`card ${className}`}>
      {title !== undefined && (
        <header className="card-head">
          <h2>{title}</h2>
          {actions && <div className="row">{actions}</div>}
        </header>
      )}
      {flush ? children : <div className="card-body">{children}</div>}
      {note && <p className="card-note">{note}</p>}
    </section>
  );
}

export function Stat({ label, value, note, to }: { label: string; value: ReactNode; note?: ReactNode; to?: string }) {
  const body = (
    <>
      <div className="stat-label">{label}</div>
      <div className="stat-value">{value}</div>
      {note && <div className="stat-note">{note}</div>}
    </>
  );
  return to ? <Link href={to} className="stat">{body}</Link> : <div className="stat">{body}</div>;
}

/** What to say where there is nothing yet: why, and what to do next. */
export function Empty({ title, children, code }: { title: string; children?: ReactNode; code?: string }) {
  return (
    <div className="empty">
      <h3>{title}</h3>
      {children && <p>{children}</p>}
      {code && <pre tabIndex={0}>{code}</pre>}
    </div>
  );
}

export function Failure({ error }: { error: Error }) {
  const known = error instanceof Problem ? error : null;
  return (
    <div className="problem" role="alert">
      <Icon name="fail" />
      <div>
        <strong>{error.message}</strong>
        {known?.reasons.map((reason) => <p key={reason}>{reason}</p>)}
        {known?.hint && <p>{known.hint}</p>}
      </div>
    </div>
  );
}

export function Skeleton({ rows = 4 }: { rows?: number }) {
  return (
    <div className="skeletons" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, at) => (
        <span key={at} className="skeleton" style={{ width: `${92 - ((at * 17) % 40)}%` }} />
      ))}
    </div>
  );
}

export function Facts({ items }: { items: [string, ReactNode][] }) {
  return (
    <dl className="facts">
      {items
        .filter(([, value]) => value !== null && value !== undefined && value !== "")
        .map(([label, value]) => [<dt key={label}>{label}</dt>, <dd key={`${label}=`}>{value}</dd>])}
    </dl>
  );
}

export function Status({ value }: { value: string }) {
  return <Badge tone={toneOfStatus(value)}>{statusWords(value)}</Badge>;
}
