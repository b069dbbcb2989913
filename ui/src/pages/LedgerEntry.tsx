import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { get } from "../api/client";
import { sentence } from "../api/entries";
import { count, fullTime } from "../api/format";
import { useGet } from "../api/hooks";
import { subjectLink } from "../api/links";
import { useNames } from "../api/names";
import { pinKey, trustKey } from "../api/pin";
import { verify } from "../api/proof";
import type { Checkpoint, Entry, EntryPage, Proof } from "../api/types";
import { Badge, Card, Copy, Empty, Facts, Failure, Skeleton } from "../parts/Basics";
import { Icon } from "../parts/Icon";
import { Loaded } from "../parts/Loaded";
import { Page } from "../parts/Page";

/** One entry: what it says, its exact bytes, and its proof, checked here and now. */
export function LedgerEntry({ index }: { index: number }) {
  const page = useGet<EntryPage>("/api/v1/ledger/entries", { query: { before: index + 1, limit: 1 } });
  const proof = useGet<Proof>(`/api/v1/ledger/entries/${index}/proof`);
  const found = page.data?.entries[0];
  const entry = found?.index === index ? found : undefined;
  const crumbs = [{ label: "Ledger", to: "/ledger" }];
  if (page.data && !entry) {
    return (
      <Page title={`Entry ${index}`} crumbs={crumbs}>
        <Empty title={`There is no entry ${index} in this workspace`}>
          <Link href="/ledger">Back to the ledger</Link>
        </Empty>
      </Page>
    );
  }
  return (
    <Page
      title={`Entry ${index}`}
      about={entry ? sentence(entry) : undefined}
      crumbs={crumbs}
      actions={
        <>
          {index > 0 && (
            <Link className="button" href={`/ledger/${index - 1}`}>
              Older
            </Link>
          )}
          <Link className="button" href={`/ledger/${index + 1}`}>
            Newer
          </Link>
        </>
      }
    >
      <div className="grid">
        <div className="span-6 stack">
          <Card title="What it says">{entry ? <Says entry={entry} /> : <Skeleton />}</Card>
        </div>
        <div className="span-6 stack">
          <Loaded query={proof}>{(data) => <Proven proof={data} />}</Loaded>
        </div>
      </div>
      <Loaded query={proof}>{(data) => <Raw proof={data} />}</Loaded>
    </Page>
  );
}

function Says({ entry }: { entry: Entry }) {
  const names = useNames();
  const link = subjectLink(entry);
  return (
    <div className="stack">
      <Facts
        items={[
          ["Type", <code key="t">{entry.type}</code>],
          ["When", fullTime(entry.time)],
          ["By", names.actor(entry.actor)],
          ...Object.entries(entry.subject).map(([kind, id]): [string, React.ReactNode] => [
            kind,
            <span key={kind} className="mono">
              <Link href={`/ledger?about=${kind}:${encodeURIComponent(String(id))}`}>{String(id)}</Link>
            </span>,
          ]),
          ...Object.entries(entry.texts).map(([name, text]): [string, React.ReactNode] => [name, text]),
          ...Object.entries(entry.data).map(([name, value]): [string, React.ReactNode] => [
            name,
            <span key={name} className="mono wrap">
              {typeof value === "object" ? JSON.stringify(value) : String(value)}
            </span>,
          ]),
        ]}
      />
      {Object.keys(entry.texts).length > 0 && (
        <p className="muted small">Names and texts stand in the entry as salted hashes only, so they can be erased without breaking this proof.</p>
      )}
      {link && (
        <div>
          <Link className="button" href={link}>
            Open what it is about
          </Link>
        </div>
      )}
    </div>
  );
}

function Proven({ proof }: { proof: Proof }) {
  const [trusted, setTrusted] = useState(0);
  const verdict = useQuery({
    queryKey: ["verify", proof, trusted],
    queryFn: async () => {
      if (!globalThis.crypto?.subtle) {
        throw new Error("Browsers check signatures only on https or localhost addresses. Run `modelkeel audit verify` instead.");
      }
      const checkpoint = await get<Checkpoint>("/api/v1/ledger/checkpoint");
      return { result: await verify(proof, checkpoint), pin: pinKey(checkpoint.vkey), vkey: checkpoint.vkey };
    },
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  });
  if (verdict.error) return <Failure error={verdict.error} />;
  if (!verdict.data) return <Skeleton />;
  const { result, pin, vkey } = verdict.data;
  const good = result.ok && pin.same;
  return (
    <Card title="Proof" actions={<Badge tone={good ? "ok" : "bad"}>{good ? "Verified in this browser" : "Does not verify"}</Badge>}>
      <ol className="steps" data-testid="proof" data-ok={good}>
        {result.steps.map((step) => (
          <Check key={step.title} {...step} />
        ))}
        <Check title={pin.same ? "It is the key this browser knows" : "The log signs with another key than before"} detail={`First seen ${fullTime(pin.since)}: ${pin.vkey}`} ok={pin.same} />
      </ol>
      {!pin.same && (
        <p className="small">
          If the key was rotated (see <Link href="/ledger?types=key.rotated">key.rotated</Link>), or this is another server on the same address,{" "}
          <button
            type="button"
            className="button"
            onClick={() => {
              trustKey(vkey);
              setTrusted((times) => times + 1);
            }}
          >
            trust the new key
          </button>
        </p>
      )}
    </Card>
  );
}

function Check({ title, detail, ok }: { title: string; detail: string; ok: boolean }) {
  return (
    <li>
      <span style={{ color: ok ? "var(--ok)" : "var(--bad)" }}>
        <Icon name={ok ? "done" : "fail"} />
      </span>
      <div>
        <strong>{title}</strong>
        <div className="muted mono tiny wrap">{detail}</div>
      </div>
      <span className="hidden-visually">{ok ? "holds" : "fails"}</span>
    </li>
  );
}

function Raw({ proof }: { proof: Proof }) {
  return (
    <div className="grid">
      <div className="span-6">
        <Card title="The entry's bytes" actions={<Copy value={proof.entry} label="Copy the entry" />} note={`Canonical JSON (RFC 8785); leaf ${proof.index} of ${count(proof.size)}`}>
          <pre className="code wrapping tiny">{proof.entry}</pre>
        </Card>
      </div>
      <div className="span-6">
        <Card title="The signed checkpoint" actions={<Copy value={proof.checkpoint} label="Copy the checkpoint" />} note="C2SP tlog-checkpoint, Ed25519">
          <pre className="code wrapping tiny">{proof.checkpoint}</pre>
        </Card>
      </div>
    </div>
  );
}
