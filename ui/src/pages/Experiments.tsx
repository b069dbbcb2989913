import { Link } from "wouter";
import { millis, useExperiments, type Experiment } from "../api/mlflow";
import { Card, Empty, Time } from "../parts/Basics";
import { Loaded } from "../parts/Loaded";
import { Page } from "../parts/Page";
import { Table, type Column } from "../parts/Table";
import { useState } from "react";

const COLUMNS: Column<Experiment>[] = [
  { key: "name", label: "Name", title: true, show: (row) => <Link href={`/experiments/${row.experiment_id}`}>{row.name}</Link> },
  { key: "id", label: "Id", show: (row) => <span className="mono tiny muted">{row.experiment_id}</span> },
  { key: "created", label: "Created", fixed: true, show: (row) => <Time value={millis(row.creation_time)} /> },
  { key: "updated", label: "Changed", fixed: true, show: (row) => <Time value={millis(row.last_update_time)} /> },
];

export function Experiments() {
  const experiments = useExperiments();
  const [text, setText] = useState("");
  return (
    <Page title="Experiments" about="Groups of runs, tracked through the mlflow client or a pipeline.">
      <Card flush>
        <div className="toolbar">
          <input className="input" data-filter type="search" aria-label="Filter by name" placeholder="Filter by name" value={text} onChange={(event) => setText(event.target.value)} />
        </div>
        <Loaded query={experiments}>
          {(rows) => {
            const shown = rows.filter((row) => row.name.toLowerCase().includes(text.toLowerCase()));
            return shown.length ? (
              <Table caption="Experiments" columns={COLUMNS} rows={shown} id={(row) => row.experiment_id} />
            ) : (
              <Empty title={text ? "No experiment has such a name" : "No experiments yet"} code={text ? undefined : `export MLFLOW_TRACKING_URI=${location.origin}\npython train.py   # any script that uses mlflow`}>
                {text ? "" : "Point the mlflow client at this server; nothing else in your code changes."}
              </Empty>
            );
          }}
        </Loaded>
      </Card>
    </Page>
  );
}
