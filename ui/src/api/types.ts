/** Names for the server's types, which are generated from its OpenAPI description. */
import type { components } from "./api.gen";

type Schemas = components["schemas"];

export type Me = Schemas["Me"];
export type Health = Schemas["Health"];
export type User = Schemas["User"];
export type Grant = Schemas["Grant"];
export type Group = Schemas["Group"];
export type Entry = Schemas["Entry"];
export type EntryPage = Schemas["EntryPage"];
export type Proof = Schemas["Proof"];
export type Checkpoint = Schemas["Checkpoint"];
export type Bucket = Schemas["Bucket"];
export type RunSummary = Schemas["RunSummary"];
export type Savings = Schemas["Savings"];
export type PipelineRun = Schemas["PipelineRun"];
export type StepRun = Schemas["StepRun"];
export type RecordedReproduction = Schemas["RecordedReproduction"];
export type Endpoint = Schemas["Endpoint"];
export type Revision = Schemas["Revision"];
export type Traffic = Schemas["serving_models_Traffic"];
export type TrafficReport = Schemas["TrafficReport"];
export type Monitor = Schemas["Monitor"];
export type Window = Schemas["Window"];
export type RevisionWindow = Schemas["RevisionWindow"];
export type Alert = Schemas["Alert"];
export type Incident = Schemas["Incident"];
export type PredictionRecord = Schemas["PredictionRecord"];
export type Promotion = Schemas["Promotion"];
export type StandingApproval = Schemas["StandingApproval"];
export type StoredPolicy = Schemas["StoredPolicy"];
export type Bill = Schemas["Bill"];
export type RunCost = Schemas["RunCost"];
export type CostLine = Schemas["Line"];
export type Trace = Schemas["Trace"];
export type Served = Schemas["Served"];
export type VersionDetail = Schemas["VersionDetail"];
