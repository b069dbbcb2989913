import { Link } from "wouter";
import { count, money, plural } from "../api/format";
import { useGet } from "../api/hooks";
import { useModels } from "../api/mlflow";
import type { Bill, Endpoint, EntryPage, Promotion } from "../api/types";
import { useOpenAlerts, useWaitingPromotions } from "../app/waiting";
import { Activity } from "../parts/Activity";
import { Badge, Card, Empty, Stat, Time } from "../parts/Basics";
import { Loaded } from "../parts/Loaded";
import { Page } from "../parts/Page";
import { AlertTable } from "./alert/AlertTable";
import { Weights } from "./endpoint/Weights";

/** What needs somebody now, what serves, what it costs, and what happened last. */
export function Home() {
  return (
    <Page title="Home">
      <Figures />
      <div className="grid">
        <div className="span-7 stack">
          <Attention />
          <Serving />
        </div>
        <div className="span-5 stack">
          <Recent />
        </div>
      </div>
    </Page>
  );
}

function Figures() {
  const models = useModels();
  const endpoints = useGet<Endpoint[]>("/api/v1/endpoints", { every: 5000 });
  const alerts = useOpenAlerts();
  const waiting = useWaitingPromotions();
  const bill = useGet<Bill>("/api/v1/costs", { every: 15_000 });
  const moving = endpoints.data?.filter((endpoint) => endpoint.rollout && !["completed", "aborted"].includes(endpoint.rollout.state)).length ?? 0;
  return (
    <div className="stats">
      <Stat label="Models" value={count(models.data?.length)} to="/models" />
      <Stat label="Endpoints" value={count(endpoints.data?.length)} note={moving ? `${plural(moving, "rollout")} under way` : undefined} to="/endpoints" />
      <Stat label="Open alerts" value={count(alerts.data?.length)} to="/alerts?status=open" />
      <Stat label="Approvals waiting" value={count(waiting.data?.length)} to="/approvals" />
      <Stat label="Spent" value={bill.data ? money(bill.data.total, bill.data.currency) : "–"} note={bill.data ? `${money(bill.data.savings.amount, bill.data.currency)} spared by the cache` : undefined} to="/costs" />
    </div>
  );
}

function Attention() {
  const alerts = useOpenAlerts();
  const waiting = useWaitingPromotions();
  const open = alerts.data ?? [];
  const promotions = waiting.data ?? [];
  return (
    <>
      {promotions.length > 0 && (
        <Card title="Waiting for approval" flush actions={<Link href="/approvals" className="small">All</Link>}>
          <ul className="feed">
            {promotions.slice(0, 5).map((promotion) => (
              <Waiting key={promotion.id} promotion={promotion} />
            ))}
          </ul>
        </Card>
      )}
      {open.length > 0 && (
        <Card title="Open alerts" flush actions={<Link href="/alerts" className="small">All</Link>}>
          <AlertTable rows={open.slice(0, 6)} />
        </Card>
      )}
      {alerts.data && waiting.data && open.length + promotions.length === 0 && (
        <Card title="Nothing waits for you">
          <p className="muted small">No alert is open and no promotion wants an approval.</p>
        </Card>
      )}
    </>
  );
}

function Waiting({ promotion }: { promotion: Promotion }) {
  return (
    <li>
      <span className="dot warn" aria-hidden="true" />
      <div>
        <Link href={`/approvals/${promotion.id}`}>
          {promotion.model} {promotion.version} → @{promotion.alias}
        </Link>
        <div className="feed-detail">asked by {promotion.requester}</div>
      </div>
      <span className="muted tiny">
        <Time value={promotion.requested_at} />
      </span>
    </li>
  );
}

function Serving() {
  const endpoints = useGet<Endpoint[]>("/api/v1/endpoints", { every: 5000 });
  return (
    <Card title="Serving now" flush actions={<Link href="/endpoints" className="small">All</Link>}>
      <Loaded query={endpoints} rows={3}>
        {(rows) =>
          rows.length ? (
            <ul className="feed">
              {rows.map((endpoint) => (
                <li key={endpoint.id}>
                  <span className={`dot ${endpoint.routes.length ? "ok" : ""}`} aria-hidden="true" />
                  <div>
                    <Link href={`/endpoints/${encodeURIComponent(endpoint.name)}`}>{endpoint.name}</Link>
                    {endpoint.routes.length > 0 && <Weights endpoint={endpoint} />}
                  </div>
                  {endpoint.rollout && !["completed", "aborted"].includes(endpoint.rollout.state) ? <Badge tone="info">{endpoint.rollout.state}</Badge> : <span />}
                </li>
              ))}
            </ul>
          ) : (
            <Empty title="Nothing is deployed yet" code={`export MLFLOW_TRACKING_URI=${location.origin}\npython train.py            # tracks a run, registers a model\nmodelkeel deploy flights/1   # serves it`}>
              From a script to an endpoint:
            </Empty>
          )
        }
      </Loaded>
    </Card>
  );
}

function Recent() {
  const entries = useGet<EntryPage>("/api/v1/ledger/entries", { query: { limit: 18 }, every: 4000 });
  return (
    <Card title="Activity" flush actions={<Link href="/ledger" className="small">Ledger</Link>}>
      <Loaded query={entries} rows={8}>
        {(page) => (page.entries.length ? <Activity entries={page.entries} /> : <Empty title="Nothing happened yet" />)}
      </Loaded>
    </Card>
  );
}
