import { describe, expect, it } from "vitest";
import { sourcesOf, targetsOf, type Directions } from "./directions";

const few: Directions = { data: [{ source: "en", target: "pt" }, { source: "pt", target: "en" }] };
const many: Directions = { ...few, any: [{ model: "m2m100_418M", languages: ["de", "en", "pt", "zh"] }] };

describe("directions", () => {
  it("are those of small models where no other is there", () => {
    expect(sourcesOf(few)).toEqual(["en", "pt"]);
    expect(targetsOf(few, "en")).toEqual(["pt"]);
    expect(targetsOf(few, null)).toEqual(["pt", "en"]);
  });

  it("go from each language of a large model into every other one", () => {
    expect(sourcesOf(many)).toEqual(["en", "pt", "de", "zh"]);
    expect(targetsOf(many, "de")).toEqual(["en", "pt", "zh"]);
    expect(targetsOf(many, "en")).toEqual(["pt", "de", "zh"]);
  });

  it("are none from a language that nobody translates, and none before the service has told any", () => {
    expect(targetsOf(many, "xx")).toEqual([]);
    expect(sourcesOf({})).toEqual([]);
  });
});
