import { useSyncExternalStore } from "react";

/** Whether this browser has to sign in, or wants to. */
interface Session {
  /** `must`: an answer said 401. `wants`: somebody pressed "Sign in". */
  signIn: "must" | "wants" | null;
  /** Counts sign-ins, sign-outs and changes of the workspace: an answer from before says nothing about now. */
  turn: number;
}

const CSRF = "modelkeel_csrf";
const WORKSPACE = "modelkeel_workspace";
let session: Session = { signIn: null, turn: 0 };
let mine = told();
const listeners = new Set<() => void>();

function publish(next: Session): void {
  session = next;
  for (const listener of listeners) listener();
}

export function useSession(): Session {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    () => session,
  );
}

export function turn(): number {
  return session.turn;
}

/** An answer to a question of this turn said 401. */
export function refused(asked: number): void {
  if (asked === session.turn && session.signIn === null) publish({ ...session, signIn: "must" });
}

export function askToSignIn(): void {
  publish({ ...session, signIn: "wants" });
}

/** Somebody else, or another workspace: everything is asked for anew. */
export function newTurn(): void {
  mine = told();
  publish({ signIn: null, turn: session.turn + 1 });
}

/** Whether another tab signed in, signed out or changed the workspace: cookies are shared, what this tab shows is not. */
export function changedElsewhere(): boolean {
  return mine !== told();
}

/** Chooses the workspace of this browser's session; the server reads the cookie. */
export function chooseWorkspace(name: string): void {
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `${WORKSPACE}=${encodeURIComponent(name)}; path=/; samesite=strict; max-age=31536000${secure}`;
}

/** The value that proves that a change comes from this page: another site can't read this cookie. */
export function csrfToken(): string {
  return cookie(CSRF);
}

function told(): string {
  return `${cookie(CSRF)} ${cookie(WORKSPACE)}`;
}

function cookie(name: string): string {
  const pair = document.cookie.split("; ").find((one) => one.startsWith(`${name}=`));
  return pair ? decodeURIComponent(pair.slice(name.length + 1)) : "";
}
