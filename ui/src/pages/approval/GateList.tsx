import { figure } from "../../api/format";
import type { Promotion } from "../../api/types";
import { Empty, Status } from "../../parts/Basics";

/** Each gate's finding in a sentence, and the facts behind it. */
export function GateList({ gates }: { gates: Promotion["gates"] }) {
  if (gates.length === 0) return <Empty title="No gate guards this alias" />;
  return (
    <ul className="feed gates">
      {gates.map((gate) => (
        <li key={gate.gate}>
          <div>
            <strong className="mono">{gate.gate}</strong>
            <div className="feed-detail">{gate.sentence}</div>
            {Object.keys(gate.facts).length > 0 && (
              <details className="tiny muted">
                <summary>Facts</summary>
                <dl className="facts tiny">
                  {Object.entries(gate.facts).map(([name, value]) => [
                    <dt key={name}>{name}</dt>,
                    <dd key={`${name}=`} className="mono">
                      {typeof value === "number" ? figure(value, 6) : typeof value === "object" ? JSON.stringify(value) : String(value)}
                    </dd>,
                  ])}
                </dl>
              </details>
            )}
          </div>
          <Status value={gate.verdict} />
        </li>
      ))}
    </ul>
  );
}
