import { useGet } from "../api/hooks";
import type { Endpoint as EndpointData } from "../api/types";
import { Badge, Card, Copy, Failure, Id, Skeleton } from "../parts/Basics";
import { Page } from "../parts/Page";
import { Tabs } from "../parts/Tabs";
import { EndpointAlerts } from "./endpoint/EndpointAlerts";
import { History } from "./endpoint/History";
import { LiveTraffic } from "./endpoint/LiveTraffic";
import { Revisions } from "./endpoint/Revisions";
import { RolloutCard } from "./endpoint/RolloutCard";
import { Watch } from "./endpoint/Watch";
import { Weights } from "./endpoint/Weights";

const CRUMBS = [{ label: "Endpoints", to: "/endpoints" }];

/** One endpoint: who serves, how much, and whether the data and the quality are still as they were. */
export function Endpoint({ name }: { name: string }) {
  const query = useGet<EndpointData>(`/api/v1/endpoints/${encodeURIComponent(name)}`, { every: 2500 });
  const endpoint = query.data;
  if (!endpoint) {
    return (
      <Page title={name} crumbs={CRUMBS}>
        {query.error ? <Failure error={query.error} /> : <Skeleton rows={8} />}
      </Page>
    );
  }
  return (
    <Page
      title={name}
      about={
        <span className="row">
          <span className="mono wrap">{endpoint.url}</span>
          <Copy value={endpoint.url} label="Copy the address" />
          {endpoint.simulated && <Badge plain>simulated time</Badge>}
        </span>
      }
      crumbs={CRUMBS}
      actions={<Id value={endpoint.id} />}
    >
      <Tabs
        label="Parts of the endpoint"
        tabs={[
          { key: "now", label: "Now", show: () => <Now endpoint={endpoint} /> },
          { key: "watch", label: "Drift and quality", show: () => <Watch endpoint={endpoint} /> },
          { key: "revisions", label: "Revisions", show: () => <Past endpoint={endpoint} /> },
        ]}
      />
    </Page>
  );
}

function Now({ endpoint }: { endpoint: EndpointData }) {
  return (
    <div className="grid">
      <div className="span-8 stack">
        <LiveTraffic endpoint={endpoint} />
        <EndpointAlerts endpoint={endpoint.name} />
      </div>
      <div className="span-4 stack">
        <Card title="Traffic">{endpoint.routes.length ? <Weights endpoint={endpoint} /> : <p className="muted small">The first revision is being prepared.</p>}</Card>
        <RolloutCard endpoint={endpoint} />
      </div>
    </div>
  );
}

function Past({ endpoint }: { endpoint: EndpointData }) {
  return (
    <div className="stack">
      <Card title="Revisions" flush>
        <Revisions endpoint={endpoint} />
      </Card>
      <History endpoint={endpoint} />
    </div>
  );
}
