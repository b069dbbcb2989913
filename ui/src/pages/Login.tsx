import { useEffect, useState } from "react";
import { post } from "../api/client";
import { Failure, Skeleton } from "../parts/Basics";

/** Behind the link that the terminal printed: its one-time code opens a session. */
export function Login() {
  const [error, setError] = useState<Error | null>(null);
  useEffect(() => {
    const code = new URLSearchParams(location.search).get("code") ?? "";
    history.replaceState(null, "", "/login");
    post("/api/v1/sessions", { code })
      .then(() => location.replace("/"))
      .catch(setError);
  }, []);
  return error ? <Failure error={error} /> : <Skeleton rows={3} />;
}
