import { describe, expect, it } from "vitest";
import { numberOf } from "./NumberField";

describe("what is written in a field of a number", () => {
  it("is a number as far as it goes", () => {
    expect(["0.", "0.0", "0.35", "7", 7.5].map(numberOf)).toEqual([0, 0, 0.35, 7, 7.5]);
  });

  it("is none while it is empty or a sign", () => {
    expect(["", "-"].map(numberOf)).toEqual([null, null]);
  });
});
