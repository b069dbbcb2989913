import { useEffect, useState } from "react";
import { Link, useLocation } from "wouter";
import { send } from "../api/client";
import { useGet } from "../api/hooks";
import type { SignInWays } from "../api/types";
import { startAnew } from "../app/anew";
import { csrfToken, useSession } from "../app/session";
import { ThemeButton } from "../app/ThemeButton";
import { Toasts } from "../app/Toasts";
import { Failure, Skeleton } from "../parts/Basics";
import { CodeSignIn } from "./signin/CodeSignIn";
import { PasswordForm } from "./signin/PasswordForm";
import { SetupForm } from "./signin/SetupForm";

/** Stands before every page while the server wants to know who is there, and at `/login`. */
export function SignIn() {
  const [path, go] = useLocation();
  const { signIn } = useSession();
  const [asked] = useState(() => (path === "/login" ? new URLSearchParams(location.search) : new URLSearchParams()));
  const [code, setCode] = useState(asked.get("code") ?? "");
  const ways = useGet<SignInWays>("/api/v1/sign-in");
  useEffect(() => {
    // A one-time code has no place in the history.
    if (path === "/login" && location.search) history.replaceState(null, "", "/login");
  }, [path]);
  const arrived = () => {
    if (path === "/login") go("/", { replace: true });
    startAnew();
  };
  const title = ways.data?.setup ? "Welcome to Modelkeel" : "Sign in";
  useEffect(() => {
    document.title = `${title} · Modelkeel`;
  }, [title]);
  return (
    <div className="gatehouse">
      <header>
        <span className="brand">
          <img src="/favicon.svg" alt="" />
          Modelkeel
        </span>
        <ThemeButton />
      </header>
      <main>
        <section className="sign-in" aria-labelledby="sign-in-title">
          <h1 id="sign-in-title">{title}</h1>
          {asked.get("error") && <Failure error={new Error(`Signing in failed: ${asked.get("error")?.slice(0, 300)}`)} />}
          {signIn === "must" && csrfToken() && <p className="notice">Your session has ended. Sign in again to go on where you were.</p>}
          {ways.data ? (
            <Ways ways={ways.data} code={code} after={path === "/login" ? "/" : path + location.search} onDone={arrived} onBadCode={() => setCode("")} />
          ) : ways.error ? (
            <Failure error={ways.error} />
          ) : (
            <Skeleton rows={3} />
          )}
          <WayOut ways={ways.data} onDone={arrived} />
        </section>
      </main>
      <Toasts />
    </div>
  );
}

function Ways({ ways, code, after, onDone, onBadCode }: { ways: SignInWays; code: string; after: string; onDone: () => void; onBadCode: () => void }) {
  const [error, setError] = useState<Error | null>(null);
  const refuse = (problem: Error) => {
    setError(problem);
    onBadCode();
  };
  if (ways.setup) return <SetupForm code={code} onDone={onDone} />;
  if (code) return <CodeSignIn code={code} onDone={onDone} onBad={refuse} />;
  return (
    <>
      {error && <Failure error={error} />}
      {ways.password && <PasswordForm onDone={onDone} />}
      {ways.oidc && (
        <>
          {ways.password && <div className="or">or</div>}
          {/* A link, not a form: the page's policy would stop a form that is redirected to another site. */}
          <a className="button" href={`/api/v1/oidc/start?${new URLSearchParams({ after })}`}>
            Sign in with {ways.oidc}
          </a>
        </>
      )}
      <p className="muted small">
        {ways.oidc ? "No account? Ask whoever runs this server." : "No account, or the password is lost? Ask whoever runs this server."} On its own machine, <code>modelkeel login --page</code> prints a
        link that opens this page.
      </p>
    </>
  );
}

/** Where the server lets programs on this machine in without an account, the page may be used so too. */
function WayOut({ ways, onDone }: { ways: SignInWays | undefined; onDone: () => void }) {
  const { signIn } = useSession();
  if (!ways?.anonymous) return null;
  if (!signIn) {
    return (
      <Link href="/" className="button quiet">
        To the home page
      </Link>
    );
  }
  // Ends what is left of a session that the server does not know any more.
  const leave = () => void send("DELETE", "/api/v1/sessions/current").finally(onDone);
  return (
    <button type="button" className="button quiet" onClick={leave}>
      Go on without signing in
    </button>
  );
}
