import { useState } from "react";
import { useChange } from "../../api/hooks";
import type { Promotion } from "../../api/types";
import { useMe } from "../../app/Who";
import { Dialog } from "../../parts/Dialog";

type Step = "approve" | "reject" | "commit";

const WORDS: Record<Step, { title: string; submit: string; done: string; hint: string }> = {
  approve: { title: "Approve this promotion", submit: "Approve", done: "Approved", hint: "Your approval is bound to the evidence you see here: if it changes, the approval is void." },
  reject: { title: "Reject this promotion", submit: "Reject", done: "Rejected", hint: "The reason is what the author will read." },
  commit: { title: "Move the alias now", submit: "Carry out", done: "Carried out", hint: "The evidence is checked once more; if it is no longer current, nothing moves." },
};

/** The buttons of an open promotion, for those who may press them. */
export function Decide({ promotion }: { promotion: Promotion }) {
  const me = useMe();
  const [step, setStep] = useState<Step | null>(null);
  const [reason, setReason] = useState("");
  const close = () => setStep(null);
  const change = useChange(step ? WORDS[step].done : "", close);
  const may = (permission: string) => me?.permissions.some((one) => one === permission) ?? false;
  const steps: Step[] = [];
  if (promotion.status === "waiting_approval" && may("approve")) steps.push("reject", "approve");
  if (promotion.status === "approved" && !promotion.automatic && may("promote")) steps.push("commit");
  if (promotion.status === "waiting_approval" && me && !may("approve")) return <span className="muted small">You may not approve; an approver must.</span>;
  const own = me ? promotion.authors.includes(me.id) || promotion.requested_by === me.id : false;
  if (own && steps.includes("approve")) return <span className="muted small">You made or asked for this version, so somebody else decides.</span>;
  const send = () => {
    if (!step) return;
    const body = step === "commit" ? undefined : step === "approve" ? { reason, evidence: promotion.evidence } : { reason };
    change.mutate({ path: `/api/v1/promotions/${promotion.id}/${step}`, body });
  };
  return (
    <>
      {steps.map((name) => (
        <button
          key={name}
          type="button"
          className={`button ${name === "reject" ? "danger" : "primary"}`}
          onClick={() => {
            setReason("");
            setStep(name);
          }}
        >
          {WORDS[name].submit}
        </button>
      ))}
      {step && (
        <Dialog title={WORDS[step].title} submit={WORDS[step].submit} danger={step === "reject"} busy={change.isPending} onSubmit={send} onClose={close}>
          <p className="muted small">{WORDS[step].hint}</p>
          {step !== "commit" && (
            <label>
              Reason{step === "approve" ? " (optional)" : ""}
              <textarea className="input" value={reason} required={step === "reject"} onChange={(event) => setReason(event.target.value)} />
            </label>
          )}
        </Dialog>
      )}
    </>
  );
}
