import { useGet } from "../../api/hooks";
import type { Group } from "../../api/types";
import { Badge, Card, Empty } from "../../parts/Basics";
import { Loaded } from "../../parts/Loaded";
import { Table, type Column } from "../../parts/Table";

const COLUMNS: Column<Group>[] = [
  { key: "name", label: "Group", title: true, show: (group) => <strong>{group.name}</strong> },
  { key: "members", label: "Members", show: (group) => group.members.join(", ") || <span className="muted">nobody</span> },
  { key: "roles", label: "Roles that it gives", show: (group) => <Words words={group.roles} /> },
];

/** The groups of the workspace. */
export function Groups() {
  const groups = useGet<Group[]>("/api/v1/groups");
  return (
    <Card flush>
      <Loaded query={groups}>
        {(rows) => (rows.length ? <Table caption="Groups" columns={COLUMNS} rows={rows} id={(row) => row.id} /> : <Empty title="No groups">A group gives its members roles and grants together.</Empty>)}
      </Loaded>
    </Card>
  );
}

/** Roles or permissions, one badge each. */
export function Words({ words }: { words: string[] }) {
  if (words.length === 0) return <span className="muted">none</span>;
  return (
    <span className="row">
      {words.map((word) => (
        <Badge key={word} plain tone="accent">
          {word}
        </Badge>
      ))}
    </span>
  );
}
