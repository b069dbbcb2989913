/** More lines than this are no longer told apart. */
export const MOST = 12;

/** The page that compares runs; it can be shared. */
export function compareAddress(runs: string[]): string {
  return `/compare?runs=${runs.join(",")}`;
}

/** The runs that an address names: each once, in its order. */
export function runsOf(search: URLSearchParams): string[] {
  const named = (search.get("runs") ?? "").split(",").map((id) => id.trim());
  return [...new Set(named.filter(Boolean))].slice(0, MOST);
}
