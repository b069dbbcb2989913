import { useState } from "react";
import { address } from "../../api/client";
import { useChange, useGet } from "../../api/hooks";
import type { Grant } from "../../api/types";
import { Badge, Card, Empty, Id } from "../../parts/Basics";
import { Dialog } from "../../parts/Dialog";
import { Loaded } from "../../parts/Loaded";
import { Table, type Column } from "../../parts/Table";
import { AddGrant } from "./AddGrant";
import { Words } from "./Groups";
import { useObjects } from "./objects";

/** What was granted or denied on single experiments, models and endpoints. */
export function Grants({ mayGrant }: { mayGrant: boolean }) {
  const grants = useGet<Grant[]>("/api/v1/grants");
  const objects = useObjects();
  const nameOf = (grant: Grant) => objects.find((one) => one.kind === grant.kind && one.id === grant.id)?.name;
  const columns: Column<Grant>[] = [
    { key: "who", label: "Who", title: true, show: (grant) => <strong>{grant.name}</strong> },
    { key: "effect", label: "Effect", show: (grant) => <Badge tone={grant.effect === "deny" ? "bad" : "ok"}>{grant.effect === "deny" ? "Denied" : "Granted"}</Badge> },
    { key: "what", label: "On", show: (grant) => <span>{grant.kind} {nameOf(grant) ?? <Id value={grant.id} />}</span> },
    { key: "permissions", label: "Permissions", show: (grant) => <Words words={grant.permissions} /> },
    ...(mayGrant ? [{ key: "back", label: "", show: (grant: Grant) => <TakeBack grant={grant} /> }] : []),
  ];
  return (
    <Card title="Grants and denials" flush actions={mayGrant && <AddGrant objects={objects} />}>
      <Loaded query={grants}>
        {(rows) =>
          rows.length ? (
            <Table caption="Grants and denials" columns={columns} rows={rows} id={(row) => `${row.subject}/${row.kind}/${row.id}/${row.effect}`} />
          ) : (
            <Empty title="Nothing is granted or denied on single objects">Everybody may do what their roles say, on everything in this workspace.</Empty>
          )
        }
      </Loaded>
    </Card>
  );
}

function TakeBack({ grant }: { grant: Grant }) {
  const groups = useGet<{ id: string }[]>("/api/v1/groups");
  const [asked, setAsked] = useState(false);
  const change = useChange("Taken back", () => setAsked(false));
  const group = groups.data?.some((one) => one.id === grant.subject) ?? false;
  const path = address("/api/v1/grants", { to: grant.name, kind: grant.kind, id: grant.id, effect: grant.effect, group });
  return (
    <>
      <button type="button" className="button danger" aria-label={`Take back from ${grant.name}`} onClick={() => setAsked(true)}>
        Take back
      </button>
      {asked && (
        <Dialog title={`Take this back from ${grant.name}`} submit="Take back" danger busy={change.isPending} onSubmit={() => change.mutate({ method: "DELETE", path })} onClose={() => setAsked(false)}>
          <p className="muted small">From then on only their roles and other grants count.</p>
        </Dialog>
      )}
    </>
  );
}
