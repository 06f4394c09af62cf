import { describe, expect, it } from "vitest";
import { certaintyOf, pathOf, roundTicks, scalesOf } from "./curve";

const FRAME = { width: 620, height: 220, left: 40, right: 20, top: 10, bottom: 30 };

describe("the loss curve", () => {
  it.each([[5.3, 4, [0, 2, 4, 6]], [0.42, 4, [0, 0.2, 0.4, 0.6]], [300, 6, [0, 50, 100, 150, 200, 250, 300]], [0, 4, [0, 1]]])(
    "has round numbers at its sides: up to %d", (most, count, ticks) => expect(roundTicks(most, count)).toEqual(ticks));

  it("goes from the first step to the last planned one, and from the largest loss down to nothing", () => {
    const scales = scalesOf([[{ step: 0, loss: 4 }, { step: 50, loss: 0 }]], 100, FRAME);
    expect([scales.x(0), scales.x(100), scales.y(0), scales.y(scales.losses.at(-1)!)]).toEqual([40, 600, 190, 10]);
    expect(pathOf([{ step: 0, loss: 4 }, { step: 50, loss: 0 }], scales)).toBe("M40.0 10.0 L320.0 190.0");
  });

  it("names whole steps only, and none past the end", () => {
    expect(scalesOf([[]], 2, FRAME).steps).toEqual([0, 1, 2]);
    expect(scalesOf([[]], 25, FRAME).steps).toEqual([0, 5, 10, 15, 20, 25]);
  });

  it("tells a loss as how sure the model is", () => {
    expect(certaintyOf(0)).toBe(1);
    expect(certaintyOf(Math.LN2)).toBeCloseTo(0.5);
  });
});
