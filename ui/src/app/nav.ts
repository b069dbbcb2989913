import type { IconName } from "../parts/Icon";

export interface NavLink {
  to: string;
  label: string;
  icon: IconName;
  /** The letter after `g` that goes there. */
  key: string;
}

export const NAV: { title: string; links: NavLink[] }[] = [
  { title: "", links: [{ to: "/", label: "Home", icon: "home", key: "h" }] },
  {
    title: "Build",
    links: [
      { to: "/experiments", label: "Experiments", icon: "flask", key: "e" },
      { to: "/pipelines", label: "Pipelines", icon: "graph", key: "p" },
      { to: "/datasets", label: "Data sets", icon: "table", key: "d" },
      { to: "/models", label: "Models", icon: "box", key: "m" },
    ],
  },
  {
    title: "Operate",
    links: [
      { to: "/endpoints", label: "Endpoints", icon: "pulse", key: "n" },
      { to: "/alerts", label: "Alerts", icon: "bell", key: "a" },
    ],
  },
  {
    title: "Answer for",
    links: [
      { to: "/approvals", label: "Approvals", icon: "check", key: "r" },
      { to: "/predictions", label: "Trace", icon: "trace", key: "t" },
      { to: "/ledger", label: "Ledger", icon: "chain", key: "l" },
      { to: "/costs", label: "Costs", icon: "coin", key: "c" },
      { to: "/members", label: "Members", icon: "people", key: "u" },
    ],
  },
];
