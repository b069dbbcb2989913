import type { ReactNode } from "react";
import { Link } from "wouter";
import { runName, type Run } from "../../api/mlflow";

export interface CompareRow {
  name: string;
  cells: ReactNode[];
  differs: boolean;
}

/** Runs as columns, what they have as rows; rows that differ are tinted and say so. */
export function CompareTable({ caption, runs, rows, number = false }: { caption: string; runs: Run[]; rows: CompareRow[]; number?: boolean }) {
  return (
    <div className="table-scroll" tabIndex={0} role="region" aria-label={caption}>
      <table className="table compare">
        <caption className="hidden-visually">{caption}</caption>
        <thead>
          <tr>
            <th scope="col">
              <span className="hidden-visually">Name</span>
            </th>
            {runs.map((run, at) => (
              <th key={run.info.run_id} scope="col" className={number ? "number" : ""}>
                <span className={`swatch fill-${(at % 6) + 1}`} aria-hidden="true" />
                <Link href={`/runs/${run.info.run_id}`}>{runName(run)}</Link>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.name} className={row.differs ? "differs" : ""}>
              <th scope="row">
                <span className="mono">{row.name}</span>
                {row.differs && <span className="hidden-visually"> (differs)</span>}
              </th>
              {row.cells.map((cell, at) => (
                <td key={runs[at]?.info.run_id} className={number ? "number" : ""}>
                  {cell ?? <span className="muted">–</span>}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
