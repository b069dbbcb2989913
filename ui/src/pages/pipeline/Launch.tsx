import { useState } from "react";
import { useLocation } from "wouter";
import { useChange } from "../../api/hooks";
import type { PipelineRun } from "../../api/types";
import { useMe } from "../../app/Who";
import { Dialog } from "../../parts/Dialog";

/** Runs a pipeline again on the server, with other parameters where wanted. */
export function Launch({ run }: { run: PipelineRun }) {
  const me = useMe();
  const [, go] = useLocation();
  const [open, setOpen] = useState(false);
  const [params, setParams] = useState<Record<string, string>>({});
  const change = useChange<unknown, { run_id: string }>("Started", ({ run_id }) => {
    setOpen(false);
    go(`/pipelines/${run_id}`);
  });
  if (!run.snapshot || !me?.permissions.some((one) => one === "track")) return null;
  const before = Object.entries(run.params).map(([name, value]): [string, string] => [name, typeof value === "string" ? value : JSON.stringify(value)]);
  const send = () => {
    const changed = Object.fromEntries(before.filter(([name, value]) => (params[name] ?? value) !== value).map(([name]) => [name, params[name]]));
    const same = Object.fromEntries(Object.entries(run.params).filter(([name]) => !(name in changed)));
    change.mutate({ path: `/api/v1/pipelines/${encodeURIComponent(run.pipeline)}/launch`, body: { params: { ...same, ...changed } } });
  };
  return (
    <>
      <button type="button" className="button primary" onClick={() => setOpen(true)}>
        Run again
      </button>
      {open && (
        <Dialog title={`Run ${run.pipeline} on the server`} submit="Run" busy={change.isPending} onSubmit={send} onClose={() => setOpen(false)}>
          <p className="muted small">It runs with the code and the environment of its last finished run, under the server&apos;s own account.</p>
          {before.map(([name, value]) => (
            <label key={name}>
              {name}
              <input className="input" value={params[name] ?? value} onChange={(event) => setParams({ ...params, [name]: event.target.value })} />
            </label>
          ))}
        </Dialog>
      )}
    </>
  );
}
