import { useEffect } from "react";
import { useLocation } from "wouter";
import { NAV } from "./nav";

/** `/` goes to the page's filter; `g` and a letter goes to a page; Escape leaves a field. */
export function useKeys(): void {
  const [, go] = useLocation();
  useEffect(() => {
    let waiting = 0;
    const onKey = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      const target = event.target as HTMLElement;
      if (target.matches("input, textarea, select")) {
        if (event.key === "Escape") target.blur();
        return;
      }
      if (document.querySelector("dialog[open]")) return;
      if (event.key === "/") {
        const field = document.querySelector<HTMLElement>("[data-filter]");
        if (field) {
          event.preventDefault();
          field.focus();
        }
      } else if (event.key === "g") {
        waiting = Date.now();
      } else if (Date.now() - waiting < 1200) {
        waiting = 0;
        const link = NAV.flatMap((group) => group.links).find((item) => item.key === event.key);
        if (link) go(link.to);
      }
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [go]);
}
