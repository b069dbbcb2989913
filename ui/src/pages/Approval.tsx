import { Link } from "wouter";
import { fullTime } from "../api/format";
import { useGet } from "../api/hooks";
import type { Promotion } from "../api/types";
import { Badge, Card, Empty, Facts, Failure, Skeleton, Status, Time } from "../parts/Basics";
import { Page } from "../parts/Page";
import { Decide } from "./approval/Decide";
import { GateList } from "./approval/GateList";

const CRUMBS = [{ label: "Approvals", to: "/approvals" }];

/** One promotion: the findings of the gates, what people said, and the buttons to say something. */
export function Approval({ id }: { id: string }) {
  const query = useGet<Promotion>(`/api/v1/promotions/${id}`, { every: 4000 });
  const promotion = query.data;
  if (!promotion) {
    return (
      <Page title="Promotion" crumbs={CRUMBS}>
        {query.error ? <Failure error={query.error} /> : <Skeleton rows={6} />}
      </Page>
    );
  }
  const version = `/models/${encodeURIComponent(promotion.model)}/${promotion.version}`;
  return (
    <Page title={`${promotion.model} ${promotion.version} → @${promotion.alias}`} about={<Status value={promotion.status} />} crumbs={CRUMBS} actions={<Decide promotion={promotion} />}>
      {promotion.reasons.length > 0 && promotion.status !== "committed" && (
        <div className="notice">
          {promotion.reasons.map((reason) => (
            <p key={reason}>{reason}</p>
          ))}
        </div>
      )}
      <div className="grid">
        <div className="span-7 stack">
          <Card title="Gates" flush>
            <GateList gates={promotion.gates} />
          </Card>
          <Card title="What people said" flush>
            <Said promotion={promotion} />
          </Card>
        </div>
        <div className="span-5 stack">
          <Card title="About">
            <Facts
              items={[
                ["Version", <Link key="v" href={version}>{promotion.model} {promotion.version}</Link>],
                ["Alias", <Badge key="a" plain tone="accent">@{promotion.alias}</Badge>],
                ["Champion", promotion.champion ? <Link key="c" href={`/models/${encodeURIComponent(promotion.model)}/${promotion.champion.version}`}>version {promotion.champion.version}</Link> : "none yet"],
                ["Asked by", promotion.requester],
                ["Asked", fullTime(promotion.requested_at)],
                ["Decided", fullTime(promotion.decided_at)],
                ["Carried out", promotion.automatic ? "by itself after the last approval" : "by a command"],
                ["Standing approval", promotion.standing_approval ? <span key="s" className="mono">{promotion.standing_approval.slice(0, 13)}</span> : ""],
                ["Evidence", <span key="e" className="mono" title={promotion.evidence}>{promotion.evidence.slice(0, 16)}</span>],
                ["Policy", <span key="p" className="mono" title={promotion.policy}>{promotion.policy.slice(0, 16)}</span>],
                ["Version digest", <span key="d" className="mono" title={promotion.version_digest}>{promotion.version_digest.slice(0, 16)}</span>],
                ...Object.entries(promotion.entries).map(([name, index]): [string, React.ReactNode] => [`Entry: ${name}`, <Link key={name} href={`/ledger/${index}`}>#{index}</Link>]),
              ]}
            />
          </Card>
        </div>
      </div>
    </Page>
  );
}

function Said({ promotion }: { promotion: Promotion }) {
  if (promotion.approvals.length === 0) {
    return <Empty title="Nobody has said anything yet">{promotion.status === "waiting_approval" ? "An approver other than the author decides, here or with modelkeel approve." : ""}</Empty>;
  }
  return (
    <ul className="feed">
      {promotion.approvals.map((approval) => (
        <li key={approval.entry}>
          <span className={`dot ${approval.verdict === "approved" ? "ok" : "bad"}`} aria-hidden="true" />
          <div>
            <strong>{approval.name}</strong> {approval.verdict}
            <div className="feed-detail">{approval.reason || "without a reason"}</div>
          </div>
          <span className="muted tiny">
            <Time value={approval.at} /> · <Link href={`/ledger/${approval.entry}`}>#{approval.entry}</Link>
          </span>
        </li>
      ))}
    </ul>
  );
}
