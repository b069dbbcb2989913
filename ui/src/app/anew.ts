import { queries } from "../api/client";
import { changedElsewhere, newTurn } from "./session";

/** Forgets what the server said to somebody else or about another workspace, and asks again. */
export function startAnew(): void {
  queries.clear();
  newTurn();
}

/** Notices, when somebody comes back to this tab, that another one changed who is signed in or where. */
export function watchOtherTabs(): void {
  const look = () => {
    if (document.visibilityState === "visible" && changedElsewhere()) startAnew();
  };
  window.addEventListener("focus", look);
  document.addEventListener("visibilitychange", look);
}
