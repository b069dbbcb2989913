/** MLflow's own wire format, as its REST API speaks it: the same routes that the `mlflow` client uses. */
import { useQuery } from "@tanstack/react-query";
import { get, post } from "./client";

export interface Pair {
  key: string;
  value: string;
}

export interface MetricPoint {
  key: string;
  value: number | string;
  timestamp: number | string;
  step?: number | string;
}

export interface Experiment {
  experiment_id: string;
  name: string;
  lifecycle_stage: string;
  creation_time?: number | string;
  last_update_time?: number | string;
  tags?: Pair[];
}

export interface Run {
  info: { run_id: string; run_name?: string; experiment_id: string; user_id?: string; status: string; start_time?: number | string; end_time?: number | string; artifact_uri?: string; lifecycle_stage?: string };
  data: { metrics?: MetricPoint[]; params?: Pair[]; tags?: Pair[] };
  inputs?: { dataset_inputs?: DatasetInput[]; model_inputs?: { model_id: string }[] };
  outputs?: { model_outputs?: { model_id: string; step?: number | string }[] };
}

export interface DatasetInput {
  tags?: Pair[];
  dataset: { name: string; digest: string; source_type: string; source: string; schema?: string; profile?: string };
}

export interface RegisteredModel {
  name: string;
  creation_timestamp?: number | string;
  last_updated_timestamp?: number | string;
  description?: string;
  latest_versions?: ModelVersion[];
  aliases?: { alias: string; version: string }[];
  tags?: Pair[];
}

export interface ModelVersion {
  name: string;
  version: string;
  creation_timestamp?: number | string;
  last_updated_timestamp?: number | string;
  user_id?: string;
  description?: string;
  source?: string;
  run_id?: string;
  model_id?: string;
  status?: string;
  aliases?: string[];
  tags?: Pair[];
}

export interface Artifact {
  path: string;
  is_dir: boolean;
  file_size?: number | string;
}

export interface LoggedModel {
  info: { model_id: string; name?: string; status?: string; model_type?: string; source_run_id?: string; creation_timestamp_ms?: number | string };
  data?: { params?: Pair[]; metrics?: MetricPoint[] };
}

const API = "/api/2.0/mlflow";

export function pairs(list: Pair[] | undefined): Record<string, string> {
  return Object.fromEntries((list ?? []).map(({ key, value }) => [key, value]));
}

export function millis(value: number | string | undefined): number | undefined {
  const number = Number(value ?? 0);
  return number > 0 ? number : undefined;
}

export function runName(run: Run): string {
  return run.info.run_name || pairs(run.data.tags)["mlflow.runName"] || run.info.run_id.slice(0, 8);
}

export function useExperiments() {
  return useQuery({
    queryKey: ["experiments"],
    queryFn: async () => (await post<{ experiments?: Experiment[] }>(`${API}/experiments/search`, { max_results: 500, order_by: ["last_update_time DESC"] })).experiments ?? [],
    refetchInterval: 10_000,
  });
}

export function useExperiment(id: string) {
  return useQuery({
    queryKey: ["experiment", id],
    queryFn: async () => (await get<{ experiment: Experiment }>(`${API}/experiments/get`, { experiment_id: id })).experiment,
  });
}

export interface RunPage {
  runs?: Run[];
  next_page_token?: string;
}

export function searchRuns(body: { experiment_ids: string[]; filter?: string; order_by?: string[]; max_results?: number; page_token?: string }): Promise<RunPage> {
  return post<RunPage>(`${API}/runs/search`, body);
}

export async function fetchRun(id: string): Promise<Run> {
  return (await get<{ run: Run }>(`${API}/runs/get`, { run_id: id })).run;
}

export function useRun(id: string, enabled = true) {
  return useQuery({
    queryKey: ["run", id],
    queryFn: () => fetchRun(id),
    refetchInterval: (query) => (query.state.data?.info.status === "RUNNING" ? 3000 : false),
    enabled,
  });
}

export function useArtifacts(runId: string, path: string) {
  return useQuery({
    queryKey: ["artifacts", runId, path],
    queryFn: async () => (await get<{ files?: Artifact[] }>(`${API}/artifacts/list`, { run_id: runId, path })).files ?? [],
  });
}

/** Where the bytes of a run's artifact are; always answered as a download. */
export function artifactAddress(run: Run, path: string): string {
  return `/api/v1/runs/${run.info.run_id}/artifacts/${path.split("/").map(encodeURIComponent).join("/")}`;
}

export function useModels() {
  return useQuery({
    queryKey: ["models"],
    queryFn: async () => (await get<{ registered_models?: RegisteredModel[] }>(`${API}/registered-models/search`, { max_results: 500 })).registered_models ?? [],
    refetchInterval: 10_000,
  });
}

export function useModel(name: string) {
  return useQuery({
    queryKey: ["model", name],
    queryFn: async () => (await get<{ registered_model: RegisteredModel }>(`${API}/registered-models/get`, { name })).registered_model,
    refetchInterval: 10_000,
  });
}

export function useVersions(filter: string, enabled = true) {
  return useQuery({
    queryKey: ["versions", filter],
    queryFn: async () => (await get<{ model_versions?: ModelVersion[] }>(`${API}/model-versions/search`, { filter, max_results: 500 })).model_versions ?? [],
    enabled,
    refetchInterval: 10_000,
  });
}

export function useVersion(name: string, version: string) {
  return useQuery({
    queryKey: ["version", name, version],
    queryFn: async () => (await get<{ model_version: ModelVersion }>(`${API}/model-versions/get`, { name, version })).model_version,
    refetchInterval: 10_000,
  });
}

/** A name inside MLflow's filter grammar. */
export function quoted(value: string): string {
  return `'${value.replaceAll("'", "\\'")}'`;
}
