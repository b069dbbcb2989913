import type { Endpoint } from "../../api/types";

/** How traffic is divided now, as a bar and in words. */
export function Weights({ endpoint }: { endpoint: Endpoint }) {
  const version = (id: string) => endpoint.revisions.find((revision) => revision.id === id);
  const words = endpoint.routes.map((share) => `${version(share.revision)?.model ?? "?"} ${version(share.revision)?.version ?? ""}: ${Math.round(share.weight)} %`);
  const shadow = endpoint.shadow ? version(endpoint.shadow) : undefined;
  return (
    <div className="stack tight" style={{ gap: 5, minWidth: 120 }}>
      <div className="bars" role="img" aria-label={words.join(", ")}>
        {endpoint.routes.map((share) => (
          <span key={share.revision} className={`fill-${colourOf(endpoint, share.revision)}`} style={{ width: `${share.weight}%` }} />
        ))}
      </div>
      <span className="tiny muted">
        {words.join(" · ")}
        {shadow ? ` · ${shadow.model} ${shadow.version} in shadow` : ""}
      </span>
    </div>
  );
}

/** A revision keeps its colour everywhere on the page. */
export function colourOf(endpoint: Endpoint, revision: string): number {
  const number = endpoint.revisions.find((one) => one.id === revision)?.number ?? 1;
  return ((number - 1) % 6) + 1;
}
