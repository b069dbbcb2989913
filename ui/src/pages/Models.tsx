import { useState } from "react";
import { Link } from "wouter";
import { millis, useModels, type RegisteredModel } from "../api/mlflow";
import { Badge, Card, Empty, Time } from "../parts/Basics";
import { Loaded } from "../parts/Loaded";
import { Page } from "../parts/Page";
import { Table, type Column } from "../parts/Table";

const COLUMNS: Column<RegisteredModel>[] = [
  { key: "name", label: "Name", title: true, show: (model) => <Link href={`/models/${encodeURIComponent(model.name)}`}>{model.name}</Link> },
  { key: "latest", label: "Latest version", number: true, show: (model) => Math.max(0, ...(model.latest_versions ?? []).map((version) => Number(version.version))) || "–" },
  {
    key: "aliases",
    label: "Aliases",
    show: (model) =>
      model.aliases?.length ? (
        <span className="row">
          {model.aliases.map((alias) => (
            <Badge key={alias.alias} plain tone="accent">
              @{alias.alias} → {alias.version}
            </Badge>
          ))}
        </span>
      ) : (
        "–"
      ),
  },
  { key: "updated", label: "Changed", fixed: true, show: (model) => <Time value={millis(model.last_updated_timestamp)} /> },
];

export function Models() {
  const models = useModels();
  const [text, setText] = useState("");
  return (
    <Page title="Models" about="Registered models, their versions, and which version each alias means.">
      <Card flush>
        <div className="toolbar">
          <input className="input" data-filter type="search" aria-label="Filter by name" placeholder="Filter by name" value={text} onChange={(event) => setText(event.target.value)} />
        </div>
        <Loaded query={models}>
          {(rows) => {
            const shown = rows.filter((model) => model.name.toLowerCase().includes(text.toLowerCase()));
            return shown.length ? (
              <Table caption="Models" columns={COLUMNS} rows={shown} id={(model) => model.name} />
            ) : (
              <Empty title={text ? "No model has such a name" : "No models yet"} code={text ? undefined : 'mlflow.sklearn.log_model(model, name="model",\n    registered_model_name="flights")'}>
                {text ? "" : "Register a model from a run:"}
              </Empty>
            );
          }}
        </Loaded>
      </Card>
    </Page>
  );
}
