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
  const { texts } = entry;
  const name = texts.name ?? texts.model ?? "";
  const version = versionOf(entry);
  const verb = event.replaceAll("_", " ");
  if (thing === "alias") return `Alias${texts.alias ? ` @${texts.alias}` : ""}${name ? ` of ${name}` : ""} ${verb}${version ? ` to version ${version}` : ""}`;
  if (thing === "promotion") return `Promotion${version ? ` of version ${version}` : ""}${texts.alias ? ` to @${texts.alias}` : ""} ${verb}`;
  const words = THINGS[thing] ?? thing.replaceAll("_", " ");
  const subject = `${words}${name ? ` ${name}` : ""}${thing === "version" && version ? ` ${version}` : ""}`;
  return `${subject.charAt(0).toUpperCase()}${subject.slice(1)} ${verb}`;
}

/** The version number that an entry names; subjects write it as `model id/number`. */
function versionOf(entry: Entry): string {
  const found = "version" in entry.subject ? entry.subject.version : entry.data.version;
  const last = String(found ?? "").split("/").at(-1) ?? "";
  return /^\d+$/.test(last) ? last : "";
}

const BAD = /\.(failed|refused|aborted|rejected|deleted|revoked|disabled|voided)$|^alert\.raised|^incident\.opened/;
const OK = /\.(given|committed|completed|ready|resolved)$/;
const INFO = /^(traffic|rollout|alias|revision|endpoint)\./;

export function toneOf(type: string): Tone {
  if (BAD.test(type)) return type.startsWith("alert") ? "warn" : "bad";
  if (OK.test(type)) return "ok";
  return INFO.test(type) ? "info" : "";
}
