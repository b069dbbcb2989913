import { useEffect, type ReactNode } from "react";
import { setCrumbs, type Crumb } from "../app/crumbs";

/** One page: its title (also the tab's), the way to it, and what can be done here. */
export function Page({ title, about, crumbs = [], actions, children }: { title: string; about?: ReactNode; crumbs?: Crumb[]; actions?: ReactNode; children: ReactNode }) {
  const trail = JSON.stringify([...crumbs, { label: title }]);
  useEffect(() => {
    document.title = `${title} · Modelkeel`;
    setCrumbs(JSON.parse(trail) as Crumb[]);
  }, [title, trail]);
  return (
    <div className="page">
      <header className="page-head">
        <div className="grow">
          <h1>{title}</h1>
          {about && <div className="muted small wrap">{about}</div>}
        </div>
        {actions && <div className="page-actions">{actions}</div>}
      </header>
      <div className="stack">{children}</div>
    </div>
  );
}
