const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });

export function count(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  return Math.abs(value) >= 1_000_000 ? short.format(value) : whole.format(value);
}

/** A measured number at a precision a reader can compare. */
export function figure(value: number | string | null | undefined, digits = 4): string {
  if (value === null || value === undefined) return "–";
  if (typeof value === "string") return value; // non-finite numbers travel as words
  if (!Number.isFinite(value)) return String(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e9) return whole.format(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e9)) return value.toExponential(2);
  return size >= 1000 ? whole.format(value) : String(Number(value.toPrecision(digits)));
}

export function percent(share: number | null | undefined, digits = 1): string {
  return share === null || share === undefined ? "–" : `${(share * 100).toFixed(digits)} %`;
}

/** The accessible words for a length of time, in seconds. */
export function seconds(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  if (value < 0.001) return "< 1 ms";
  if (value < 1) return `${Math.round(value * 1000)} ms`;
  if (value < 60) return `${Number(value.toPrecision(3))} s`;
  const minutes = Math.floor(value / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(value % 60)} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  let rest = value;
  while (rest >= 1024 && at < units.length - 1) {
    rest /= 1024;
    at += 1;
  }
  return `${at === 0 ? rest : Number(rest.toPrecision(3))} ${units[at]}`;
}

export function money(value: number | null | undefined, currency: string): string {
  if (value === null || value === undefined) return "–";
  if (value > 0 && value < 1e-6) return currency === "USD" ? "<\u00a0$0.000001" : `<\u00a00.000001\u00a0${currency}`;
  // Pennies and less keep two figures that count, so that small things do not look free.
  const digits = value !== 0 && Math.abs(value) < 0.1 ? Math.min(7, 1 - Math.floor(Math.log10(Math.abs(value)))) : 2;
  const amount = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: Math.max(2, digits) }).format(value);
  return currency === "USD" ? `$${amount}` : `${amount} ${currency}`;
}

export function moment(value: string | number): Date {
  return new Date(value);
}

export function ago(value: string | number, now = Date.now()): string {
  const past = (now - moment(value).getTime()) / 1000;
  const size = Math.abs(past);
  if (size < 10) return "now";
  const [amount, unit] = size < 60 ? [size, "s"] : size < 3600 ? [size / 60, "min"] : size < 172_800 ? [size / 3600, "h"] : [size / 86_400, "d"];
  const words = `${Math.floor(amount as number)} ${unit}`;
  return past >= 0 ? `${words} ago` : `in ${words}`;
}

export function fullTime(value: string | number): string {
  return moment(value).toISOString().replace("T", " ").replace(/\.\d+Z$/, " UTC");
}

export function day(value: string | number): string {
  return moment(value).toISOString().slice(0, 10);
}

export function plural(amount: number, one: string, many = `${one}s`): string {
  return `${count(amount)} ${amount === 1 ? one : many}`;
}

export function shortId(id: string, length = 8): string {
  return id.length > length + 4 ? id.slice(0, length) : id;
}
