import { useState } from "react";
import { Link } from "wouter";
import { useChange } from "../../api/hooks";
import { count, fullTime, percent } from "../../api/format";
import type { Endpoint } from "../../api/types";
import { useMe } from "../../app/Who";
import { Card, Facts, Status } from "../../parts/Basics";
import { Dialog } from "../../parts/Dialog";
import { Icon } from "../../parts/Icon";

/** The way of a new revision to all the traffic, stage by stage. */
export function RolloutCard({ endpoint }: { endpoint: Endpoint }) {
  const rollout = endpoint.rollout;
  if (!rollout) return null;
  const candidate = endpoint.revisions.find((revision) => revision.id === rollout.candidate);
  const { policy } = rollout;
  const stages = ["Prepared and verified", ...(policy.shadow_rows ? [`Shadow: ${count(policy.shadow_rows)} rows`] : []), ...(policy.steps ?? []).map((step) => `${step} % of traffic${policy.rows_per_step ? `, ${count(policy.rows_per_step)} rows` : ""}`), "All traffic"];
  const shadowed = policy.shadow_rows ? 1 : 0;
  const reached = { preparing: 0, shadow: 1, stepping: 1 + shadowed + rollout.step, completed: stages.length, aborted: -1 }[rollout.state] ?? 0;
  return (
    <Card title="Rollout" actions={<Status value={rollout.state} />}>
      <div className="stack">
        <ol className="steps" aria-label="Stages of the rollout">
          {stages.map((stage, at) => (
            <li key={stage} aria-current={at === reached ? "step" : undefined}>
              <span style={{ color: at < reached ? "var(--ok)" : at === reached ? "var(--accent)" : "var(--faint)" }}>
                <Icon name={at < reached ? "done" : at === reached ? "pulse" : "menu"} />
              </span>
              <div className={at > reached ? "muted" : ""}>{stage}</div>
            </li>
          ))}
        </ol>
        <Facts
          items={[
            ["Candidate", candidate ? <Link key="c" href={`/models/${encodeURIComponent(candidate.model)}/${candidate.version}`}>{candidate.model} {candidate.version}</Link> : ""],
            ["In this state since", fullTime(rollout.since)],
            ["Aborts above", `${percent(policy.max_error_rate ?? 0.01)} failed rows`],
            ["Promotion", rollout.ticket ? <Link key="t" href={`/approvals/${rollout.ticket}`}>open</Link> : ""],
            ["Note", rollout.note],
          ]}
        />
        <Stop endpoint={endpoint} />
      </div>
    </Card>
  );
}

function Stop({ endpoint }: { endpoint: Endpoint }) {
  const me = useMe();
  const [step, setStep] = useState<"abort" | "rollback" | null>(null);
  const [reason, setReason] = useState("");
  const change = useChange(step === "abort" ? "Rollout ended" : "Rolled back", () => setStep(null));
  if (!me?.permissions.some((permission) => permission === "deploy")) return null;
  const moving = endpoint.rollout !== null && endpoint.rollout !== undefined && !["completed", "aborted"].includes(endpoint.rollout.state);
  const usable = endpoint.revisions.filter((revision) => revision.state === "ready" || revision.state === "retired").length > 1;
  const send = () => change.mutate({ path: `/api/v1/endpoints/${endpoint.name}/${step}`, body: step === "abort" ? { reason } : {} });
  if (!moving && !usable) return null;
  return (
    <div className="row">
      <button type="button" className="button danger" onClick={() => setStep(moving ? "abort" : "rollback")}>
        {moving ? "End this rollout" : "Roll back"}
      </button>
      {step && (
        <Dialog title={step === "abort" ? "End this rollout" : "Back to the revision before"} submit={step === "abort" ? "End it" : "Roll back"} danger busy={change.isPending} onSubmit={send} onClose={() => setStep(null)}>
          {step === "abort" ? (
            <label>
              Reason
              <textarea className="input" required value={reason} onChange={(event) => setReason(event.target.value)} />
            </label>
          ) : (
            <p className="muted small">All traffic goes back to the revision that served before. No request is lost.</p>
          )}
        </Dialog>
      )}
    </div>
  );
}
