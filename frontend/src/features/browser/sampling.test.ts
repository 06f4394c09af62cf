import { describe, expect, it } from "vitest";
import { DEFAULT_SAMPLING, keepLikeliest, withinBounds } from "./sampling";

const scores = (...shares: number[]) => Float32Array.from(shares.map(Math.log));
const left = (kept: Float32Array) => [...kept].map((score, place) => (score === -Infinity ? -1 : place)).filter((place) => place >= 0);

describe("the likeliest words", () => {
  it("are as many as top-k says", () => {
    const all = scores(0.1, 0.5, 0.15, 0.25);
    keepLikeliest(all, 2, 1);
    expect(left(all)).toEqual([1, 3]);
  });

  it("are the fewest that have top-p of the probability", () => {
    const all = scores(0.6, 0.2, 0.05, 0.05, 0.05, 0.05);
    keepLikeliest(all, 100, 0.7);
    expect(left(all)).toEqual([0, 1]);
    const whole = scores(0.6, 0.2, 0.2);
    keepLikeliest(whole, 100, 1);
    expect(left(whole)).toEqual([0, 1, 2]);
  });

  it("count their share among what top-k has left", () => {
    const all = scores(0.4, 0.3, 0.2, 0.1);
    keepLikeliest(all, 2, 0.5); // 0.4 of 0.7 is more than half
    expect(left(all)).toEqual([0]);
  });

  it("always hold the first, whatever is asked", () => {
    const all = scores(0.2, 0.8);
    keepLikeliest(all, 0, 0);
    expect(left(all)).toEqual([1]);
  });

  it("keep the scores they had", () => {
    const all = scores(0.7, 0.2, 0.1);
    keepLikeliest(all, 2, 1);
    expect(all[1]).toBeCloseTo(Math.log(0.2));
  });
});

describe("what is remembered of the settings", () => {
  it("is brought within the bounds", () => {
    expect(withinBounds({ temperature: 9, topK: 0, topP: Number.NaN, maxNewTokens: 1e9 })).toEqual(
      { ...DEFAULT_SAMPLING, temperature: 2, topK: 1, maxNewTokens: 512 });
  });
});
