import type { Choices } from "./columns";

const TITLES = { metrics: "Metrics", params: "Params", tags: "Tags" } as const;

/** Which metrics, params and tags are columns. */
export function Chooser({ choices, chosen, onChange }: { choices: Choices; chosen: string[]; onChange: (chosen: string[]) => void }) {
  const flip = (name: string) => onChange(chosen.includes(name) ? chosen.filter((one) => one !== name) : [...chosen, name]);
  return (
    <details className="chooser">
      <summary className="button">Columns · {chosen.length}</summary>
      <div className="popover">
        {(Object.keys(TITLES) as (keyof Choices)[]).map((kind) =>
          choices[kind].length === 0 ? null : (
            <fieldset key={kind} style={{ border: 0, padding: 0, margin: "0 0 10px" }}>
              <legend className="tiny muted">{TITLES[kind]}</legend>
              {choices[kind].map((key) => (
                <label key={key} className="check">
                  <input type="checkbox" checked={chosen.includes(`${kind}.${key}`)} onChange={() => flip(`${kind}.${key}`)} />
                  <span className="wrap">{key}</span>
                </label>
              ))}
            </fieldset>
          ),
        )}
      </div>
    </details>
  );
}
