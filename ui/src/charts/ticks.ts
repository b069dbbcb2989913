import type uPlot from "uplot";

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Ticks of a UTC time axis: the clock below a day, else the date; the first and each new year carry more. */
export function timeTicks(_plot: uPlot, splits: number[], _axis: number, _space: number, step: number): string[] {
  let before = "";
  return splits.map((second) => {
    const moment = new Date(second * 1000);
    const iso = moment.toISOString();
    const date = `${moment.getUTCDate()} ${MONTHS[moment.getUTCMonth()]}`;
    const [main, context] = step >= 86_400 ? [date, iso.slice(0, 4)] : [iso.slice(11, step >= 60 ? 16 : 19), date];
    const text = context === before ? main : `${main}\n${context}`;
    before = context;
    return text;
  });
}
