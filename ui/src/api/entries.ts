import type { Tone } from "../parts/Basics";
import type { Entry } from "./types";

const THINGS: Record<string, string> = {
  logged_model: "logged model",
  dataset_version: "dataset version",
  standing_approval: "standing approval",
  version: "model version",
  alias: "alias",
};

/** What an entry says, in a few words: `run.ended` of a run named `train` becomes "Run train ended". */
export function sentence(entry: Entry): string {
  const [thing = "", event = ""] = entry.type.split(".");
  const words = THINGS[thing] ?? thing.replaceAll("_", " ");
  const name = entry.texts.name ?? entry.texts.alias ?? entry.texts.model ?? "";
  const version = "version" in entry.subject ? entry.subject.version : entry.data.version;
  const which = typeof version === "number" || (typeof version === "string" && /^\d+$/.test(version)) ? ` ${version}` : "";
  const subject = `${words}${name ? ` ${name}` : ""}${thing === "version" || thing === "promotion" || thing === "gate" ? which : ""}`;
  return `${subject.charAt(0).toUpperCase()}${subject.slice(1)} ${event.replaceAll("_", " ")}`;
}

const BAD = /\.(failed|refused|aborted|rejected|deleted|revoked|disabled|voided)$|^alert\.raised|^incident\.opened/;
const OK = /\.(given|committed|completed|ready|resolved)$/;
const INFO = /^(traffic|rollout|alias|revision|endpoint)\./;

export function toneOf(type: string): Tone {
  if (BAD.test(type)) return type.startsWith("alert") ? "warn" : "bad";
  if (OK.test(type)) return "ok";
  return INFO.test(type) ? "info" : "";
}
