/**
 * Checks an entry's inclusion proof in this browser, trusting only the log's public key:
 * RFC 6962, section 2.1 (leaf and node hashes), RFC 9162, section 2.1.3.2 (the walk from leaf to root),
 * C2SP tlog-checkpoint and signed-note (the signed root).
 */
import type { Checkpoint, Proof } from "./types";

export interface Step {
  title: string;
  detail: string;
  ok: boolean;
}

export interface Verdict {
  ok: boolean;
  steps: Step[];
}

interface Note {
  text: string;
  origin: string;
  size: number;
  root: Uint8Array<ArrayBuffer>;
  signatures: { name: string; id: Uint8Array<ArrayBuffer>; signature: Uint8Array<ArrayBuffer> }[];
}

export async function verify(proof: Proof, trusted: Checkpoint): Promise<Verdict> {
  const steps: Step[] = [];
  const encoded = new TextEncoder().encode(proof.entry);
  const leaf = await hash(0, encoded);
  steps.push({ title: "The entry's bytes give this leaf", detail: hex(leaf), ok: hex(leaf) === proof.leaf });

  const root = await rootFrom(proof.index, proof.size, leaf, proof.path.map(unhex));
  const note = parseNote(proof.checkpoint);
  const fits = root !== null && hex(root) === hex(note.root) && note.size === proof.size;
  const levels = `${proof.path.length} sibling ${proof.path.length === 1 ? "hash" : "hashes"} lead from the leaf to the root`;
  steps.push({ title: "The path ends in the checkpoint's root", detail: `${levels}: ${root ? hex(root) : "the path has the wrong length"}`, ok: fits });

  steps.push(await checkSignature(note, trusted.vkey));
  return { ok: steps.every((step) => step.ok), steps };
}

/** The root that a leaf and its path lead to, or null if the path does not fit the size. */
export async function rootFrom(index: number, size: number, leaf: Uint8Array<ArrayBuffer>, path: Uint8Array<ArrayBuffer>[]): Promise<Uint8Array<ArrayBuffer> | null> {
  if (index >= size) return null;
  let node = index;
  let last = size - 1;
  let current = leaf;
  for (const sibling of path) {
    if (last === 0) return null;
    if (node % 2 === 1 || node === last) {
      current = await hash(1, sibling, current);
      while (node % 2 === 0 && node !== 0) {
        node = Math.floor(node / 2);
        last = Math.floor(last / 2);
      }
    } else {
      current = await hash(1, current, sibling);
    }
    node = Math.floor(node / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 ? current : null;
}

async function checkSignature(note: Note, vkey: string): Promise<Step> {
  const title = "The checkpoint is signed with the log's key";
  const [name = "", id = "", ...rest] = vkey.split("+");
  const key = unbase64(rest.join("+")); // base64 itself may hold a plus sign
  const found = note.signatures.find((line) => line.name === name && hex(line.id) === id);
  if (!found || key[0] !== 1) return { title, detail: `No signature by ${name}+${id}`, ok: false };
  try {
    const ed25519 = await crypto.subtle.importKey("raw", key.slice(1), { name: "Ed25519" }, false, ["verify"]);
    const ok = await crypto.subtle.verify({ name: "Ed25519" }, ed25519, found.signature, new TextEncoder().encode(note.text));
    return { title, detail: `Ed25519, ${name}+${id}, tree of ${note.size} entries`, ok };
  } catch {
    return { title, detail: "This browser knows no Ed25519. Use `modelkeel audit verify`, or a newer browser.", ok: false };
  }
}

export function parseNote(note: string): Note {
  const gap = note.lastIndexOf("\n\n");
  if (gap < 0) throw new Error("The checkpoint has no signed part.");
  const text = note.slice(0, gap + 1);
  const [origin = "", size = "", root = ""] = text.split("\n");
  const lines = note.slice(gap + 2).split("\n").filter(Boolean);
  const signatures = lines.map((line) => {
    const [, name = "", encoded = ""] = line.split(" ");
    const raw = unbase64(encoded);
    return { name, id: raw.slice(0, 4), signature: raw.slice(4) };
  });
  return { text, origin, size: Number(size), root: unbase64(root), signatures };
}

async function hash(prefix: number, ...parts: Uint8Array<ArrayBuffer>[]): Promise<Uint8Array<ArrayBuffer>> {
  const whole = new Uint8Array(1 + parts.reduce((sum, part) => sum + part.length, 0));
  whole[0] = prefix;
  let at = 1;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return new Uint8Array(await crypto.subtle.digest("SHA-256", whole));
}

function hex(data: Uint8Array): string {
  return Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function unhex(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function unbase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}
