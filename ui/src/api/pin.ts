/** The log's key as this browser first saw it: a server that signs with another key later is noticed. */
const KEY = "modelkeel.ledger-key";

export interface Pin {
  vkey: string;
  since: string;
  same: boolean;
}

export function pinKey(vkey: string): Pin {
  const stored = localStorage.getItem(KEY);
  if (stored) {
    const { vkey: known, since } = JSON.parse(stored) as { vkey: string; since: string };
    return { vkey: known, since, same: known === vkey };
  }
  const since = new Date().toISOString();
  localStorage.setItem(KEY, JSON.stringify({ vkey, since }));
  return { vkey, since, same: true };
}

export function trustKey(vkey: string): void {
  localStorage.setItem(KEY, JSON.stringify({ vkey, since: new Date().toISOString() }));
}
