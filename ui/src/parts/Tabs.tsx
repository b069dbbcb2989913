import type { KeyboardEvent, ReactNode } from "react";
import { useSearchParams } from "wouter";

export interface Tab {
  key: string;
  label: string;
  show: () => ReactNode;
}

/** Tabs whose choice is in the address, so that it can be shared and the back button works. */
export function Tabs({ tabs, label }: { tabs: Tab[]; label: string }) {
  const [search, setSearch] = useSearchParams();
  const chosen = tabs.find((tab) => tab.key === search.get("tab")) ?? tabs[0];
  const choose = (key: string) => setSearch(() => (key === tabs[0]?.key ? "" : `tab=${key}`), { replace: true });
  const onKey = (event: KeyboardEvent<HTMLDivElement>) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (!step || !chosen) return;
    const at = (tabs.indexOf(chosen) + step + tabs.length) % tabs.length;
    const next = tabs[at];
    if (next) choose(next.key);
    event.currentTarget.querySelectorAll("button")[at]?.focus();
  };
  return (
    <div>
      <div className="tabs" role="tablist" aria-label={label} onKeyDown={onKey}>
        {tabs.map((tab) => (
          <button key={tab.key} type="button" role="tab" id={`tab-${tab.key}`} aria-selected={tab === chosen} aria-controls="tab-panel" tabIndex={tab === chosen ? 0 : -1} onClick={() => choose(tab.key)}>
            {tab.label}
          </button>
        ))}
      </div>
      <div id="tab-panel" role="tabpanel" aria-labelledby={`tab-${chosen?.key}`}>
        {chosen?.show()}
      </div>
    </div>
  );
}
