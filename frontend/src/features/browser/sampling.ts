/** Owns narrowing down which word comes next: top-k and top-p, on scores whose temperature is applied already. */
import type { Sampling } from "./wire";

export const DEFAULT_SAMPLING: Sampling = { sample: false, temperature: 0.8, topK: 40, topP: 0.95, maxNewTokens: 120 };

/** The bounds of each number, for its control and for what is remembered from an earlier version. */
export const BOUNDS = {
  temperature: { min: 0.1, max: 2, step: 0.1 },
  topK: { min: 1, max: 100, step: 1 },
  topP: { min: 0.05, max: 1, step: 0.05 },
  maxNewTokens: { min: 1, max: 512, step: 1 },
} as const;

export function withinBounds(asked: Partial<Sampling>): Sampling {
  const whole = { ...DEFAULT_SAMPLING, ...asked };
  for (const name of Object.keys(BOUNDS) as (keyof typeof BOUNDS)[]) {
    const { min, max } = BOUNDS[name];
    whole[name] = Number.isFinite(whole[name]) ? Math.min(max, Math.max(min, whole[name])) : DEFAULT_SAMPLING[name];
  }
  return whole;
}

/**
 * Set every score to minus infinity but those of the `topK` likeliest words, and of these but the fewest that
 * together have `topP` of the probability; the likeliest always stays.
 */
export function keepLikeliest(scores: Float32Array, topK: number, topP: number): void {
  const order = Array.from(scores.keys()).sort((a, b) => scores[b]! - scores[a]! || a - b);
  const kept = order.slice(0, Math.max(1, topK));
  const most = scores[kept[0]!]!;
  const weights = kept.map((place) => Math.exp(scores[place]! - most));
  const whole = weights.reduce((sum, weight) => sum + weight, 0);
  let before = 0;
  let count = 0;
  while (count < kept.length && (count === 0 || before < topP * whole)) before += weights[count++]!;
  const stay = new Set(kept.slice(0, count));
  for (let place = 0; place < scores.length; place++) if (!stay.has(place)) scores[place] = -Infinity;
}
