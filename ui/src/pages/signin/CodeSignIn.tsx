import { useEffect, useRef } from "react";
import { post } from "../../api/client";
import { Skeleton } from "../../parts/Basics";

/** Behind a link that a terminal printed: its one-time code opens a session at once. */
export function CodeSignIn({ code, onDone, onBad }: { code: string; onDone: () => void; onBad: (error: Error) => void }) {
  const sent = useRef(false);
  useEffect(() => {
    if (sent.current) return; // the code is good once
    sent.current = true;
    post("/api/v1/sessions", { code }).then(onDone).catch(onBad);
  }, [code, onDone, onBad]);
  return <Skeleton rows={2} />;
}
