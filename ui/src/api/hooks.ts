import { keepPreviousData, useMutation, useQuery, useQueryClient, type UseQueryResult } from "@tanstack/react-query";
import { toastDone, toastProblem } from "../app/notify";
import { get, send } from "./client";

type Query = Record<string, string | number | boolean | undefined | null>;

interface Options {
  query?: Query;
  /** Milliseconds between polls; pages that show live state set it. */
  every?: number;
  enabled?: boolean;
}

/** Data of one GET route, cached by its address. */
export function useGet<T>(path: string, options: Options = {}): UseQueryResult<T, Error> {
  return useQuery<T, Error>({
    queryKey: [path, options.query ?? {}],
    queryFn: ({ signal }) => get<T>(path, options.query, signal),
    refetchInterval: options.every ?? false,
    enabled: options.enabled ?? true,
    placeholderData: keepPreviousData,
  });
}

/** A change: asks the server, tells the outcome in a toast, and refreshes what is on the page. `quiet`: the caller shows the error. */
export function useChange<B = unknown, T = unknown>(done: string, onDone?: (answer: T) => void, { quiet = false } = {}) {
  const client = useQueryClient();
  return useMutation<T, Error, { path: string; body?: B; method?: "POST" | "PUT" | "DELETE" }>({
    mutationFn: ({ path, body, method = "POST" }) => send<T>(method, path, body),
    onSuccess: (answer) => {
      toastDone(done);
      onDone?.(answer);
    },
    onError: quiet ? undefined : toastProblem,
    onSettled: () => client.invalidateQueries(),
  });
}
