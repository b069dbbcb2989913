import { Link } from "wouter";
import { Empty } from "../parts/Basics";
import { Page } from "../parts/Page";

export function NotThere() {
  return (
    <Page title="Nothing here">
      <Empty title="This address leads nowhere">
        What it named was deleted, or the address was mistyped. <Link href="/">Go home</Link>.
      </Empty>
    </Page>
  );
}
