import { useGet } from "../../api/hooks";
import { useExperiments } from "../../api/mlflow";
import type { Endpoint } from "../../api/types";

/** Something on which permissions may be granted. */
export interface Grantable {
  kind: "experiment" | "endpoint";
  id: string;
  name: string;
}

/** The experiments and endpoints of the workspace, by their opaque ids. */
export function useObjects(): Grantable[] {
  const experiments = useExperiments();
  const endpoints = useGet<Endpoint[]>("/api/v1/endpoints");
  return [
    ...(experiments.data ?? []).map((one): Grantable => ({ kind: "experiment", id: one.experiment_id, name: one.name })),
    ...(endpoints.data ?? []).map((one): Grantable => ({ kind: "endpoint", id: one.id, name: one.name })),
  ];
}
