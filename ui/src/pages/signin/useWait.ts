import { useEffect, useState } from "react";
import { Problem } from "../../api/client";

/** Seconds left until the server listens again, after it said that there were too many attempts. */
export function useWait(error: Error | null): number {
  const [left, setLeft] = useState(0);
  useEffect(() => {
    if (!(error instanceof Problem) || error.wait === 0) return setLeft(0);
    const until = Date.now() + error.wait * 1000;
    const tick = () => setLeft(Math.max(0, Math.ceil((until - Date.now()) / 1000)));
    tick();
    const timer = setInterval(tick, 500);
    return () => clearInterval(timer);
  }, [error]);
  return left;
}
