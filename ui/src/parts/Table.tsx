import type { ReactNode } from "react";
import { Icon } from "./Icon";

export interface Column<T> {
  key: string;
  label: string;
  show: (row: T) => ReactNode;
  /** Right-aligned figures. */
  number?: boolean;
  /** The row's name: heads its card on a narrow screen. */
  title?: boolean;
  fixed?: boolean;
  sortable?: boolean;
}

export interface Sort {
  key: string;
  descending: boolean;
}

interface Props<T> {
  caption: string;
  columns: Column<T>[];
  rows: T[];
  id: (row: T) => string;
  sort?: Sort;
  onSort?: (sort: Sort) => void;
  /** A box before each row to choose it, and what a chooser is called for readers. */
  choice?: { chosen: string[]; flip: (id: string) => void; label: (row: T) => string };
  /** On a narrow screen rows become cards; wide comparisons scroll instead. */
  cards?: boolean;
}

export function Table<T>({ caption, columns, rows, id, sort, onSort, choice, cards = true }: Props<T>) {
  return (
    <div className="table-scroll" tabIndex={cards ? undefined : 0} role={cards ? undefined : "region"} aria-label={cards ? undefined : caption}>
      <table className={cards ? "table cards" : "table"}>
        <caption className="hidden-visually">{caption}</caption>
        <thead>
          <tr>
            {choice && (
              <th scope="col" className="choice">
                <span className="hidden-visually">Chosen</span>
              </th>
            )}
            {columns.map((column) => (
              <th key={column.key} scope="col" className={column.number ? "number" : ""} aria-sort={ariaSort(column, sort)}>
                {column.sortable && onSort ? <SortButton column={column} sort={sort} onSort={onSort} /> : column.label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={id(row)}>
              {choice && (
                <td className="choice">
                  <input type="checkbox" aria-label={choice.label(row)} checked={choice.chosen.includes(id(row))} onChange={() => choice.flip(id(row))} />
                </td>
              )}
              {columns.map((column) => (
                <td key={column.key} data-label={column.label} className={`${column.number ? "number" : ""} ${column.title ? "title" : ""} ${column.fixed ? "fixed" : ""}`}>
                  {column.show(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function SortButton<T>({ column, sort, onSort }: { column: Column<T>; sort?: Sort; onSort: (sort: Sort) => void }) {
  const active = sort?.key === column.key;
  return (
    <button type="button" onClick={() => onSort({ key: column.key, descending: active ? !sort.descending : true })}>
      {column.label}
      {active && <Icon name={sort.descending ? "down" : "up"} size={12} />}
    </button>
  );
}

function ariaSort<T>(column: Column<T>, sort?: Sort): "ascending" | "descending" | "none" | undefined {
  if (!column.sortable) return undefined;
  if (sort?.key !== column.key) return "none";
  return sort.descending ? "descending" : "ascending";
}
