import { Link } from "wouter";
import { useGet } from "../api/hooks";
import type { EntryPage } from "../api/types";
import { Activity } from "../parts/Activity";
import { Card, Empty } from "../parts/Basics";
import { Loaded } from "../parts/Loaded";
import { Page } from "../parts/Page";

/** What needs somebody now, and what happened last. */
export function Home() {
  return (
    <Page title="Home">
      <Recent />
    </Page>
  );
}

function Recent() {
  const entries = useGet<EntryPage>("/api/v1/ledger/entries", { query: { limit: 15 }, every: 5000 });
  return (
    <Card title="Activity" flush actions={<Link href="/ledger" className="small">Ledger</Link>}>
      <Loaded query={entries} rows={8}>
        {(page) => (page.entries.length ? <Activity entries={page.entries} /> : <Empty title="Nothing happened yet" />)}
      </Loaded>
    </Card>
  );
}
