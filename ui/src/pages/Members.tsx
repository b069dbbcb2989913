import { useMay } from "../app/Who";
import { Page } from "../parts/Page";
import { Tabs } from "../parts/Tabs";
import { AddUser } from "./members/AddUser";
import { Grants } from "./members/Grants";
import { Groups } from "./members/Groups";
import { People } from "./members/People";

/** Who works in this workspace, and what each may do. */
export function Members() {
  const mayGrant = useMay("grant");
  return (
    <Page title="Members" about="A role says what somebody may do everywhere in this workspace; a grant or a denial is about one object, and a denial beats everything." actions={mayGrant && <AddUser />}>
      <Tabs
        label="Parts of the members page"
        tabs={[
          { key: "people", label: "People", show: () => <People mayGrant={mayGrant} /> },
          { key: "groups", label: "Groups", show: () => <Groups /> },
          { key: "grants", label: "Grants", show: () => <Grants mayGrant={mayGrant} /> },
        ]}
      />
    </Page>
  );
}
