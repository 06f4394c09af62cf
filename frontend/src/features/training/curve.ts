/** Owns the geometry of the loss curve: from steps and losses to places in a drawing. Pure. */
import type { Point } from "./course";

export interface Frame {
  width: number;
  height: number;
  left: number;
  right: number;
  top: number;
  bottom: number;
}

export interface Scales {
  x: (step: number) => number;
  y: (loss: number) => number;
  steps: number[];
  losses: number[];
}

/** Round numbers from 0 up to `most` or just past it, about `count` of them. */
export function roundTicks(most: number, count: number): number[] {
  if (!(most > 0)) return [0, 1];
  const raw = most / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= raw * 0.999)!;
  return Array.from({ length: Math.ceil(most / step - 1e-9) + 1 }, (_, at) => Number((at * step).toPrecision(6)));
}

/** Steps from 0 to the last one that is planned, losses from 0: a curve that falls to nothing looks so. */
export function scalesOf(lines: readonly (readonly Point[])[], totalSteps: number, frame: Frame): Scales {
  const points = lines.flat();
  const mostStep = Math.max(1, totalSteps, ...points.map(({ step }) => step));
  const losses = roundTicks(Math.max(0, ...points.map(({ loss }) => loss)), 4);
  const mostLoss = losses.at(-1)!;
  const [wide, high] = [frame.width - frame.left - frame.right, frame.height - frame.top - frame.bottom];
  return {
    x: (step) => frame.left + (step / mostStep) * wide,
    y: (loss) => frame.top + (1 - loss / mostLoss) * high,
    steps: roundTicks(mostStep, frame.width > 420 ? 6 : 3).filter((step) => Number.isInteger(step) && step <= mostStep),
    losses,
  };
}

export function pathOf(points: readonly Point[], { x, y }: Scales): string {
  return points.map(({ step, loss }, at) => `${at === 0 ? "M" : "L"}${x(step).toFixed(1)} ${y(loss).toFixed(1)}`).join(" ");
}

/** How sure the model is of the right answers: the share that it gives each next token of them, on (geometric) average. */
export function certaintyOf(loss: number): number {
  return Math.exp(-loss);
}
