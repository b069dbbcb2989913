import type { components } from "./api.gen";

type Schemas = components["schemas"];

export type Me = Schemas["Me"];
export type Health = Schemas["Health"];
export type Entry = Schemas["Entry"];
export type EntryPage = Schemas["EntryPage"];
export type Proof = Schemas["Proof"];
export type Checkpoint = Schemas["Checkpoint"];
