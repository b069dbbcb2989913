import { useEffect, useRef } from "react";
import uPlot from "uplot";
import { token, useTheme } from "../app/theme";
import { timeTicks } from "./ticks";

export type Draw = (plot: uPlot) => void;

export interface Line {
  label: string;
  /** Which of the six series colours, from 1. */
  colour: number;
  /** Null leaves a gap; undefined is joined over, for a line that has no point at this x. */
  values: (number | null | undefined)[];
  show?: (value: number | null | undefined) => string;
  dashed?: boolean;
  points?: boolean;
  width?: number;
  /** The border of a band: drawn, and left out of the legend. */
  edge?: boolean;
}

interface Props {
  label: string;
  x: number[];
  /** Seconds since 1970 on the x axis, else plain numbers. */
  time?: boolean;
  lines: Line[];
  /** Pairs of line positions (upper, lower; from 1) between which a band is drawn. */
  bands?: [number, number][];
  height?: number;
  logY?: boolean;
  showY?: (value: number) => string;
  range?: [number | null, number | null];
  draw?: Draw;
  xLabel?: string;
}

/** A line chart on a canvas, in the theme's colours; its numbers are also in the legend under the pointer. */
export function Plot({ label, x, time = false, lines, bands = [], height = 220, logY = false, showY, range, draw, xLabel }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const theme = useTheme();
  const drawing = useRef(draw);
  drawing.current = draw;
  const shape = JSON.stringify([time, lines.map((line) => [line.label, line.colour, line.dashed, line.points, line.width]), bands, height, logY, range, xLabel]);
  const plot = useRef<uPlot | null>(null);
  const data = [x, ...lines.map((line) => line.values)] as uPlot.AlignedData;
  const latest = useRef(data);
  latest.current = data;

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const options = optionsFor({ time, lines, bands, height, logY, showY, range, xLabel }, element.clientWidth, (self) => drawing.current?.(self));
    const made = new uPlot(options, latest.current, element);
    plot.current = made;
    const watcher = new ResizeObserver(([entry]) => entry && made.setSize({ width: Math.floor(entry.contentRect.width), height }));
    watcher.observe(element);
    return () => {
      watcher.disconnect();
      made.destroy();
      plot.current = null;
    };
    // The chart is made anew when its shape or the theme changes; `data` alone is only set.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [theme, shape]);

  useEffect(() => {
    const made = plot.current;
    if (!made) return;
    made.setData(latest.current);
    if (made.cursor.idx === null || made.cursor.idx === undefined) rest(made);
  }, [x, lines]);

  return <div className="chart" ref={box} role="img" aria-label={summary(label, x, lines)} />;
}

function optionsFor({ time, lines, bands = [], height = 220, logY, showY, range, xLabel }: Omit<Props, "label" | "x" | "draw">, width: number, draw: Draw): uPlot.Options {
  const muted = token("muted");
  const grid = { stroke: token("grid"), width: 1 };
  const font = `11px ${token("font")}`;
  const axis = { stroke: muted, grid, font, ticks: { stroke: token("line"), width: 1, size: 4 } };
  return {
    width: Math.max(width, 200),
    height,
    padding: [10, time ? 30 : 22, 0, 0],
    scales: {
      x: { time: Boolean(time) },
      y: logY ? { distr: 3 } : range ? { range: (_self, low, high) => padded(low, high, range) } : {},
    },
    axes: [
      { ...axis, ...(time ? { values: timeTicks } : {}), ...(xLabel ? { label: xLabel, labelFont: font, labelSize: 18 } : {}) },
      { ...axis, size: 56, ...(showY ? { values: (_self: uPlot, ticks: number[]) => ticks.map(showY) } : {}) },
    ],
    bands: bands.map(([upper, lower]) => ({ series: [upper, lower] as [number, number], fill: `${colour(lines[upper - 1]?.colour ?? 1)}26` })),
    series: [
      time ? { label: "Time (UTC)", value: (_self, value) => (value === null ? "–" : new Date(value * 1000).toISOString().replace("T", " ").slice(0, 16)) } : { label: xLabel ?? "Step" },
      ...lines.map((line): uPlot.Series => ({
        label: line.label,
        class: line.edge ? "edge" : undefined,
        stroke: colour(line.colour),
        width: line.width ?? 1.75,
        dash: line.dashed ? [5, 4] : undefined,
        spanGaps: false,
        points: { show: line.points ?? line.values.length < 40, size: 5, fill: colour(line.colour) },
        value: (_self, value) => (line.show ? line.show(value) : value === null || value === undefined ? "–" : Number(value.toPrecision(5)).toString()),
      })),
    ],
    legend: { show: true, live: true },
    cursor: { y: false, points: { size: 7 } },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC"),
    // The marks lie below the lines; without a pointer the legend says the last values.
    hooks: { drawAxes: [draw], ready: [rest], setCursor: [(self) => self.cursor.idx === null && rest(self)] },
  };
}

/** Without a pointer on the chart, the legend shows each line's last value. */
function rest(plot: uPlot): void {
  const [x, ...lines] = plot.data;
  const last = (values: ArrayLike<number | null | undefined>) => {
    for (let at = values.length - 1; at >= 0; at--) if (typeof values[at] === "number") return at;
    return null;
  };
  plot.setLegend({ idxs: [x.length ? x.length - 1 : null, ...lines.map(last)] }, false);
}

function padded(low: number | null, high: number | null, [least, most]: [number | null, number | null]): [number, number] {
  const bottom = Math.min(low ?? 0, least ?? low ?? 0);
  const top = Math.max(high ?? 1, most ?? high ?? 1);
  const room = (top - bottom || 1) * 0.08;
  return [least !== null && bottom >= least ? least : bottom - room, top + room];
}

function colour(number: number): string {
  return token(`series-${((number - 1) % 6) + 1}`);
}

function summary(label: string, x: number[], lines: Line[]): string {
  const parts = lines.slice(0, 4).map((line) => {
    const known = line.values.filter((value): value is number => value !== null && value !== undefined);
    const last = known.at(-1);
    return last === undefined ? `${line.label}: no values` : `${line.label}: last ${Number(last.toPrecision(4))}, between ${Number(Math.min(...known).toPrecision(4))} and ${Number(Math.max(...known).toPrecision(4))}`;
  });
  return `${label}, ${x.length} points. ${parts.join("; ")}`;
}
