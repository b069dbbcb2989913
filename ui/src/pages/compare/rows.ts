import { pairs, type Pair, type Run } from "../../api/mlflow";

/** One thing that runs may differ in: a value for each run, or nothing. */
export interface Compared {
  name: string;
  values: (string | undefined)[];
  differs: boolean;
}

export function compared(name: string, values: (string | undefined)[]): Compared {
  return { name, values, differs: new Set(values).size > 1 };
}

/** Named values of several runs beside each other, those that differ first. */
export function comparePairs(runs: Run[], of: (run: Run) => Pair[] | undefined, keep: (key: string) => boolean = () => true): Compared[] {
  const each = runs.map((run) => pairs(of(run)));
  const keys = [...new Set(each.flatMap((values) => Object.keys(values)))].filter(keep);
  return differingFirst(keys.map((key) => compared(key, each.map((values) => values[key]))));
}

/** The digests of the data sets that runs read, by name and purpose. */
export function compareData(runs: Run[]): Compared[] {
  const each = runs.map((run) => {
    const found: Record<string, string> = {};
    for (const { dataset, tags } of run.inputs?.dataset_inputs ?? []) {
      const name = `${dataset.name} (${pairs(tags)["mlflow.data.context"] || "input"})`;
      found[name] = found[name] ? `${found[name]}, ${dataset.digest}` : dataset.digest;
    }
    return found;
  });
  const names = [...new Set(each.flatMap((found) => Object.keys(found)))];
  return differingFirst(names.map((name) => compared(name, each.map((found) => found[name]))));
}

function differingFirst(rows: Compared[]): Compared[] {
  return rows.sort((a, b) => Number(b.differs) - Number(a.differs) || a.name.localeCompare(b.name));
}

/** Every metric of these runs: the last value of each. */
export function metricNames(runs: Run[]): string[] {
  return [...new Set(runs.flatMap((run) => (run.data.metrics ?? []).map((metric) => metric.key)))].sort();
}

/** Metrics with more than one step somewhere: those that want a chart. */
export function seriesNames(runs: Run[]): string[] {
  const long = runs.flatMap((run) => (run.data.metrics ?? []).filter((metric) => Number(metric.step ?? 0) > 0).map((metric) => metric.key));
  return [...new Set(long)].sort();
}
