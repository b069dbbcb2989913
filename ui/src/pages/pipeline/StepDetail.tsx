import { Link } from "wouter";
import { bytes, seconds } from "../../api/format";
import type { PipelineRun, StepRun } from "../../api/types";
import { Card, Facts, Status } from "../../parts/Basics";
import { StepLog } from "./StepLog";
import { whyRan } from "./StepTable";

/** One step: what went in and came out, by content, and what its cache key was made of. */
export function StepDetail({ step, run }: { step: StepRun; run: PipelineRun }) {
  return (
    <Card
      title={`Step ${step.name}`}
      actions={
        <Link className="button quiet" href={`/pipelines/${run.run_id}`}>
          Close
        </Link>
      }
    >
      <Facts
        items={[
          ["Status", <Status key="s" value={step.cached ? "cached" : step.status} />],
          ["Why it ran", whyRan(step)],
          ["Took", step.cached ? `nothing; ${seconds(step.saved_seconds)} when it ran` : `${seconds(step.seconds)}, ${seconds(step.cpu_seconds)} of processor`],
          ["Tries", step.attempts > 1 ? String(step.attempts) : ""],
          ["Asked", step.approval ? step.approval.question : ""],
          ["Answered", step.approval?.verdict ? `${step.approval.verdict} by ${step.approval.by}${step.approval.reason ? `: ${step.approval.reason}` : ""}` : ""],
          ["Paid by", step.paid_by ? <Link key="p" href={`/pipelines/${step.paid_by}?step=${step.paid_step ?? 0}`}>run {step.paid_by.slice(0, 12)}</Link> : ""],
          ["Peak memory", step.peak_bytes ? bytes(step.peak_bytes) : ""],
          ...Object.entries(step.inputs).map(([name, value]): [string, React.ReactNode] => [`in: ${name}`, <Content key={name} kind={value.kind} digest={value.digest} inline={value.inline} size={value.size} />]),
          ["out", step.output ? <Content key="o" kind={step.output.kind} digest={step.output.digest} inline={step.output.inline} size={step.output.size} /> : ""],
          ["Cache key", step.key ? <span key="k" className="mono wrap">{step.key}</span> : "never cached"],
          ["Code", step.parts ? <span key="c" className="mono tiny wrap">{Object.keys(step.parts.code).join(", ")}</span> : ""],
          ["Error", step.error ? <pre key="e" className="tiny wrap">{step.error}</pre> : ""],
        ]}
      />
      {step.log && <StepLog step={step} run={run} />}
    </Card>
  );
}

function Content({ kind, digest, inline, size }: { kind: string; digest: string; inline?: string | null; size?: number }) {
  return (
    <span className="mono tiny wrap">
      {kind} {inline !== null && inline !== undefined && inline.length < 80 ? inline : digest} {size ? <span className="muted">{bytes(size)}</span> : null}
    </span>
  );
}
