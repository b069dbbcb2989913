import { percent } from "../api/format";

export interface HistogramTable {
  bins: string[];
  reference: number[];
  current: number[];
}

/** Two distributions, bin by bin, as bars; the table behind it is what a screen reader hears. */
export function Histogram({ table, label }: { table: HistogramTable; label: string }) {
  const share = (counts: number[]) => {
    const sum = counts.reduce((total, value) => total + value, 0) || 1;
    return counts.map((value) => value / sum);
  };
  const reference = share(table.reference);
  const current = share(table.current);
  const shown = table.bins.map((bin, at) => ({ bin, reference: reference[at] ?? 0, current: current[at] ?? 0 })).filter((row) => row.reference > 0 || row.current > 0);
  const top = Math.max(...shown.flatMap((row) => [row.reference, row.current]), 1e-9);
  return (
    <div className="stack tight">
      <div className="legend">
        <span>
          <i style={{ background: "var(--line-strong)" }} /> reference
        </span>
        <span>
          <i className="fill-1" /> current
        </span>
      </div>
      <table className="histogram" aria-label={label}>
        <thead className="hidden-visually">
          <tr>
            <th>Bin</th>
            <th>Reference</th>
            <th>Current</th>
          </tr>
        </thead>
        <tbody>
          {shown.slice(0, 40).map((row) => (
            <tr key={row.bin}>
              <th scope="row">{row.bin}</th>
              <td>
                <span className="bar" style={{ width: `${(row.reference / top) * 100}%`, background: "var(--line-strong)" }} />
                <span className="bar fill-1" style={{ width: `${(row.current / top) * 100}%` }} />
              </td>
              <td className="num tiny muted">
                {percent(row.reference)} → {percent(row.current)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {shown.length > 40 && <p className="muted tiny">{shown.length - 40} more bins.</p>}
    </div>
  );
}
