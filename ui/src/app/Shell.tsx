import { useEffect, useRef, useState, type ReactNode } from "react";
import { Link, useLocation } from "wouter";
import { useGet } from "../api/hooks";
import type { Health } from "../api/types";
import { Icon } from "../parts/Icon";
import { useCrumbs } from "./crumbs";
import { useKeys } from "./keys";
import { NAV } from "./nav";
import { ThemeButton } from "./ThemeButton";
import { Toasts } from "./Toasts";
import { Who } from "./Who";
import { useWaiting } from "./waiting";

/** The frame of every page: navigation, the way here, who you are. */
export function Shell({ children }: { children: ReactNode }) {
  const [open, setOpen] = useState(false);
  const [path] = useLocation();
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  useKeys();
  useEffect(() => {
    setOpen(false);
    if (first.current) first.current = false;
    else {
      window.scrollTo(0, 0);
      main.current?.focus({ preventScroll: true });
    }
  }, [path]);
  useEffect(() => {
    if (!open) return;
    const close = (event: KeyboardEvent) => event.key === "Escape" && setOpen(false);
    document.addEventListener("keydown", close);
    return () => document.removeEventListener("keydown", close);
  }, [open]);

  return (
    <div className={open ? "shell menu-open" : "shell"}>
      <a className="skip-link" href="#content">
        Skip to the content
      </a>
      <Sidebar path={path} />
      <button type="button" className="scrim" aria-label="Close the menu" onClick={() => setOpen(false)} />
      <div>
        <header className="topbar">
          <button type="button" className="button quiet icon menu-button" aria-label="Menu" aria-expanded={open} aria-controls="navigation" onClick={() => setOpen(true)}>
            <Icon name="menu" />
          </button>
          <Crumbs />
          <ThemeButton />
          <Who />
        </header>
        <main id="content" ref={main} tabIndex={-1}>
          {children}
        </main>
      </div>
      <Toasts />
    </div>
  );
}

function Sidebar({ path }: { path: string }) {
  const waiting = useWaiting();
  const health = useGet<Health>("/health", { every: 30_000 });
  return (
    <nav className="sidebar" id="navigation" aria-label="Main">
      <Link href="/" className="brand">
        <img src="/favicon.svg" alt="" />
        Modelkeel
      </Link>
      {NAV.map((group) => (
        <div key={group.title}>
          {group.title && <div className="nav-group">{group.title}</div>}
          {group.links.map((link) => (
            <Link key={link.to} href={link.to} className="nav-link" aria-current={isHere(path, link.to) ? "page" : undefined} title={`g then ${link.key}`}>
              <Icon name={link.icon} />
              {link.label}
              {(waiting[link.to] ?? 0) > 0 && (
                <span className="nav-count">
                  {waiting[link.to]}
                  <span className="hidden-visually"> waiting</span>
                </span>
              )}
            </Link>
          ))}
        </div>
      ))}
      <div className="sidebar-foot">
        {health.data ? `Modelkeel ${health.data.version}` : health.error ? "The server does not answer" : ""}
        <br />
        <a href="/api/v1/openapi">API</a> · <a href="/THIRD-PARTY-NOTICES.txt">Notices</a>
      </div>
    </nav>
  );
}

function isHere(path: string, link: string): boolean {
  if (link === "/experiments" && (path.startsWith("/runs") || path === "/compare")) return true;
  return link === "/" ? path === "/" : path === link || path.startsWith(`${link}/`);
}

function Crumbs() {
  const crumbs = useCrumbs();
  return (
    <nav aria-label="You are here" className="grow" style={{ overflow: "hidden" }}>
      <ol className="crumbs">
        {crumbs.map((crumb, at) => (
          <li key={`${at}${crumb.label}`}>
            {at > 0 && <span aria-hidden="true">/</span>}
            {crumb.to ? <Link href={crumb.to}>{crumb.label}</Link> : <span aria-current="page">{crumb.label}</span>}
          </li>
        ))}
      </ol>
    </nav>
  );
}
