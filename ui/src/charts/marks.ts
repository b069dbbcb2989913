import type uPlot from "uplot";
import { token } from "../app/theme";

/** A dashed line across the chart at a threshold. */
export function threshold(plot: uPlot, value: number, name: string): void {
  const y = plot.valToPos(value, "y", true);
  const { left, top, width, height } = plot.bbox;
  if (y < top || y > top + height) return;
  const context = plot.ctx;
  context.save();
  context.strokeStyle = token("bad");
  context.globalAlpha = 0.75;
  context.lineWidth = devicePixelRatio;
  context.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
  context.beginPath();
  context.moveTo(left, y);
  context.lineTo(left + width, y);
  context.stroke();
  context.fillStyle = token("bad");
  context.font = `${11 * devicePixelRatio}px ${token("font")}`;
  context.textAlign = "right";
  context.fillText(name, left + width - 4, y - 5 * devicePixelRatio);
  context.restore();
}

/** A tinted stretch of the x axis: the windows of an alert. */
export function stretch(plot: uPlot, from: number, to: number, tone: "bad" | "warn" | "info"): void {
  const { left, top, width, height } = plot.bbox;
  const start = Math.max(left, plot.valToPos(from, "x", true));
  const end = Math.min(left + width, plot.valToPos(to, "x", true));
  if (end < left || start > left + width) return;
  const context = plot.ctx;
  context.save();
  context.globalAlpha = 0.12;
  context.fillStyle = token(tone);
  context.fillRect(start, top, Math.max(end - start, 2), height);
  context.restore();
}
