import { useGet } from "../api/hooks";
import type { Alert, Promotion } from "../api/types";

/** How many things wait for somebody, by the navigation link that leads to them. */
export function useWaiting(): Record<string, number> {
  const promotions = useWaitingPromotions();
  const alerts = useOpenAlerts();
  return { "/approvals": promotions.data?.length ?? 0, "/alerts": alerts.data?.length ?? 0 };
}

export function useWaitingPromotions() {
  return useGet<Promotion[]>("/api/v1/promotions", { query: { status: "waiting_approval" }, every: 6000 });
}

export function useOpenAlerts() {
  return useGet<Alert[]>("/api/v1/alerts", { query: { status: "open" }, every: 6000 });
}
