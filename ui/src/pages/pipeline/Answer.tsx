import { useState } from "react";
import { useChange } from "../../api/hooks";
import type { PipelineRun, StepRun } from "../../api/types";
import { useMe } from "../../app/Who";
import { Card } from "../../parts/Basics";
import { Dialog } from "../../parts/Dialog";

/** What steps of a run ask of a person, with the buttons to answer. */
export function Questions({ run }: { run: PipelineRun }) {
  const waiting = run.steps.filter((step) => step.status === "waiting" && step.approval && !step.approval.verdict);
  return waiting.map((step) => (
    <Card key={step.index} title={step.approval?.question} actions={<Answer run={run} step={step} />}>
      <p className="muted small">The run waits here. Whoever may approve answers on this page, or with modelkeel step approve {run.run_id.slice(0, 12)} {step.name}.</p>
      {Object.entries(step.inputs).filter(([name]) => name !== "question").map(([name, value]) =>
        value.inline ? (
          <pre key={name} className="tiny wrap">
            {value.inline}
          </pre>
        ) : null,
      )}
    </Card>
  ));
}

function Answer({ run, step }: { run: PipelineRun; step: StepRun }) {
  const me = useMe();
  const [choice, setChoice] = useState<"approve" | "reject" | null>(null);
  const [reason, setReason] = useState("");
  const close = () => setChoice(null);
  const change = useChange(choice === "approve" ? "Approved" : "Rejected", close);
  if (!me?.permissions.some((one) => one === "approve")) return <span className="muted small">You may not approve; an approver must.</span>;
  const open = (wanted: "approve" | "reject") => () => {
    setReason("");
    setChoice(wanted);
  };
  const send = () => change.mutate({ path: `/api/v1/pipelines/runs/${run.run_id}/steps/${step.index}/decide`, body: { approve: choice === "approve", reason } });
  return (
    <>
      <button type="button" className="button danger" onClick={open("reject")}>
        Reject
      </button>
      <button type="button" className="button primary" onClick={open("approve")}>
        Approve
      </button>
      {choice && (
        <Dialog title={step.approval?.question ?? step.name} submit={choice === "approve" ? "Approve" : "Reject"} danger={choice === "reject"} busy={change.isPending} onSubmit={send} onClose={close}>
          <p className="muted small">{choice === "approve" ? "The run goes on; your name and reason stand in the ledger." : "The run fails at this step, with your reason."}</p>
          <label>
            Reason{choice === "approve" ? " (optional)" : ""}
            <textarea className="input" value={reason} required={choice === "reject"} onChange={(event) => setReason(event.target.value)} />
          </label>
        </Dialog>
      )}
    </>
  );
}
