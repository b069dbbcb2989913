import { useGet } from "./hooks";
import { shortId } from "./format";

interface User {
  id: string;
  name: string;
}

/** People's names for the opaque ids that stand in entries. */
export function useNames(): { actor: (id: string) => string } {
  const users = useGet<User[]>("/api/v1/users");
  const known = new Map((users.data ?? []).map((user) => [user.id, user.name]));
  return { actor: (id) => known.get(id) ?? (id === "system" || id === "anonymous" ? id : shortId(id)) };
}
