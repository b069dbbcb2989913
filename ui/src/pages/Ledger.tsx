import { useState } from "react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useSearchParams } from "wouter";
import { get } from "../api/client";
import { sentence } from "../api/entries";
import { count } from "../api/format";
import { useGet } from "../api/hooks";
import { parseNote } from "../api/proof";
import type { Checkpoint, Entry, EntryPage } from "../api/types";
import { Card, Copy, Empty, Failure, Skeleton, Stat, Time } from "../parts/Basics";
import { Loaded } from "../parts/Loaded";
import { Page } from "../parts/Page";
import { Table, type Column } from "../parts/Table";
import { useNames } from "../api/names";

/** Every state change of the workspace, in order, with what it takes to prove it. */
export function Ledger() {
  return (
    <Page title="Ledger" about="Every state change, in order, in a tree whose root is signed. Open an entry to check its proof in this browser.">
      <Head />
      <Entries />
    </Page>
  );
}

function Head() {
  const checkpoint = useGet<Checkpoint>("/api/v1/ledger/checkpoint", { every: 15_000 });
  return (
    <Loaded query={checkpoint} rows={2}>
      {({ note, vkey }) => {
        const parsed = parseNote(note);
        return (
          <div className="stats">
            <Stat label="Entries signed" value={count(parsed.size)} />
            <Stat label="Log" value={<span className="small mono">{parsed.origin}</span>} note={<Key vkey={vkey} />} />
            <Stat label="Signed checkpoint" value={<CopyNote note={note} />} note="Keep a copy outside: it commits us to all of the above" />
          </div>
        );
      }}
    </Loaded>
  );
}

function Key({ vkey }: { vkey: string }) {
  return (
    <span className="mono wrap" title={vkey}>
      key {vkey.split("+")[1]} <Copy value={vkey} label="Copy the verifier key" />
    </span>
  );
}

function CopyNote({ note }: { note: string }) {
  return (
    <a className="small" download="checkpoint.txt" href={URL.createObjectURL(new Blob([note], { type: "text/plain" }))}>
      Download
    </a>
  );
}

function Entries() {
  const [search, setSearch] = useSearchParams();
  const types = search.get("types") ?? "";
  const about = search.get("about") ?? "";
  const [typed, setTyped] = useState(about || types);
  const pages = useInfiniteQuery({
    queryKey: ["ledger", types, about],
    initialPageParam: undefined as number | undefined,
    queryFn: ({ pageParam, signal }) => get<EntryPage>("/api/v1/ledger/entries", { limit: 50, before: pageParam, types, about }, signal),
    getNextPageParam: (page: EntryPage) => page.next ?? undefined,
    refetchInterval: (query) => ((query.state.data?.pages.length ?? 1) === 1 ? 5000 : false),
  });
  const rows = pages.data?.pages.flatMap((page) => page.entries) ?? [];
  const filter = () => setSearch(typed.includes(":") ? { about: typed.trim() } : typed.trim() ? { types: typed.trim() } : {});
  return (
    <Card flush>
      <form
        className="toolbar"
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          filter();
        }}
      >
        <input className="input mono" data-filter aria-label="Filter entries" placeholder="alias.moved,approval.given   or   run:4f2a…" value={typed} onChange={(event) => setTyped(event.target.value)} />
        <button type="submit" className="button">
          Filter
        </button>
        {(types || about) && (
          <button
            type="button"
            className="button quiet"
            onClick={() => {
              setTyped("");
              setSearch({});
            }}
          >
            Clear
          </button>
        )}
      </form>
      {pages.error ? <Failure error={pages.error} /> : pages.isPending ? <Skeleton rows={8} /> : <EntryTable rows={rows} filtered={Boolean(types || about)} />}
      {pages.hasNextPage && (
        <div className="card-note">
          <button type="button" className="button" disabled={pages.isFetchingNextPage} onClick={() => pages.fetchNextPage()}>
            Show older entries
          </button>
        </div>
      )}
    </Card>
  );
}

function EntryTable({ rows, filtered }: { rows: Entry[]; filtered: boolean }) {
  const names = useNames();
  if (rows.length === 0) return filtered ? <Empty title="No entry fits this filter">Types are separated by commas; a subject is written kind:id.</Empty> : <Empty title="No entries yet" />;
  const columns: Column<Entry>[] = [
    { key: "what", label: "What happened", title: true, show: (entry) => <Link href={`/ledger/${entry.index}`}>{sentence(entry)}</Link> },
    { key: "index", label: "Index", number: true, show: (entry) => entry.index },
    { key: "type", label: "Type", show: (entry) => <Link className="mono" href={`/ledger?types=${entry.type}`}>{entry.type}</Link> },
    { key: "actor", label: "By", show: (entry) => names.actor(entry.actor) },
    { key: "subject", label: "About", show: (entry) => <span className="mono tiny wrap">{Object.entries(entry.subject).map(([kind, id]) => `${kind}:${String(id).slice(0, 12)}`).join("  ")}</span> },
    { key: "time", label: "When", fixed: true, show: (entry) => <Time value={entry.time} /> },
  ];
  return <Table caption="Ledger entries, newest first" columns={columns} rows={rows} id={(entry) => String(entry.index)} />;
}
