import { useState } from "react";
import { useLocation } from "wouter";
import { useGet } from "../api/hooks";
import type { Trace as TraceData } from "../api/types";
import { Card, Empty } from "../parts/Basics";
import { Loaded } from "../parts/Loaded";
import { Page } from "../parts/Page";
import { ServedAt } from "./trace/ServedAt";
import { Story } from "./trace/Story";

/** From a prediction back to everything that stands behind it; and what served at a time. */
export function Trace({ id = "" }: { id?: string }) {
  const [, go] = useLocation();
  const [typed, setTyped] = useState(id);
  return (
    <Page title={id ? "Prediction" : "Trace"} about={id ? <span className="mono wrap">{id}</span> : "Which model, data, code, environment and approver stand behind a prediction; and what served at a time."} crumbs={id ? [{ label: "Trace", to: "/predictions" }] : []}>
      <Card flush>
        <form
          className="toolbar"
          role="search"
          style={{ borderBottom: 0 }}
          onSubmit={(event) => {
            event.preventDefault();
            if (typed.trim()) go(`/predictions/${encodeURIComponent(typed.trim())}`);
          }}
        >
          <input className="input mono" data-filter aria-label="Prediction id" placeholder="A prediction's id, as the answer's header and body name it" value={typed} onChange={(event) => setTyped(event.target.value)} spellCheck={false} />
          <button type="submit" className="button primary">
            Trace
          </button>
        </form>
      </Card>
      {id ? <Found id={id} /> : <ServedAt />}
    </Page>
  );
}

function Found({ id }: { id: string }) {
  const trace = useGet<TraceData>(`/api/v1/trace/predictions/${encodeURIComponent(id)}`);
  return (
    <Loaded query={trace} rows={8}>
      {(data) => (data ? <Story trace={data} /> : <Empty title="No such prediction" />)}
    </Loaded>
  );
}
