import { count, seconds } from "../../api/format";
import type { PipelineRun, StepGroup } from "../../api/types";
import { Table, type Column } from "../../parts/Table";

const COLUMNS: Column<StepGroup>[] = [
  { key: "name", label: "Step", title: true, show: (group) => group.name },
  { key: "calls", label: "Calls", number: true, show: (group) => count(group.steps) },
  { key: "status", label: "Status", show: (group) => Object.entries(group.status).map(([status, calls]) => `${count(calls)} ${status}`).join(", ") },
  { key: "seconds", label: "Took", number: true, show: (group) => seconds(group.seconds) },
  { key: "saved", label: "Saved", number: true, show: (group) => (group.saved_seconds > 0 ? seconds(group.saved_seconds) : "–") },
];

/** The steps of a long run by name; a graph of thousands would show nothing. */
export function StepGroups({ run }: { run: PipelineRun }) {
  return <Table caption="Steps by name" columns={COLUMNS} rows={run.groups} id={(group) => group.name} />;
}
