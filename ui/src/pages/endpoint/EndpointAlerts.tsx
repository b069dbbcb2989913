import { useGet } from "../../api/hooks";
import type { Alert } from "../../api/types";
import { AlertTable } from "../alert/AlertTable";
import { Card, Empty } from "../../parts/Basics";
import { Loaded } from "../../parts/Loaded";

export function EndpointAlerts({ endpoint }: { endpoint: string }) {
  const alerts = useGet<Alert[]>("/api/v1/alerts", { query: { endpoint }, every: 5000 });
  return (
    <Card title="Alerts" flush>
      <Loaded query={alerts}>{(rows) => (rows.length ? <AlertTable rows={rows} /> : <Empty title="No alerts">No monitor of this endpoint has raised one.</Empty>)}</Loaded>
    </Card>
  );
}
