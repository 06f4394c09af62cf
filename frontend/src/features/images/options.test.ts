import { describe, expect, it } from "vitest";
import type { Model } from "@/shared/api/types";
import type { Drawing } from "./orders";
import { offered, withModel } from "./options";

const LCM: Model = {
  id: "LCM_Dreamshaper_v7",
  options: {
    steps: { default: 4, minimum: 1, maximum: 50, usual: [1, 8] }, guidance_scale: { default: 8.5, minimum: 0, maximum: 30 },
    size: { default: "512x512" }, scheduler: { choices: ["lcm"] },
  },
};
const TURBO: Model = {
  id: "sd-turbo",
  options: {
    steps: { default: 4, minimum: 1, maximum: 100, usual: [1, 4] }, guidance_scale: { default: 0, minimum: 0, maximum: 30 },
    negative_prompt: { needs_guidance_above: 1 },
  },
};
const DRAWING: Drawing = { prompt: "x", negativePrompt: "y", size: "auto", steps: 30, guidance: 7, seed: 5, model: "draw", decoder: "small" };

describe("what the form offers for a model", () => {
  it("is the model's own range and numbers", () => {
    expect(offered(LCM, null).steps).toEqual({ minimum: 1, maximum: 50, usual: 4, good: [1, 8] });
    expect(offered(LCM, null).guidance.usual).toBe(8.5);
    expect(offered(LCM, null).size).toBe("512x512");
  });

  it("leaves out what to avoid where the model takes no such text", () => {
    expect(offered(LCM, null).negative).toBe("no");
    expect(offered(LCM, 12).negative).toBe("no");
  });

  it("says that it is not heeded while the guidance is off, the chosen one or the model's own", () => {
    expect(offered(TURBO, null).negative).toBe("unheeded");
    expect(offered(TURBO, 1).negative).toBe("unheeded");
    expect(offered(TURBO, 1.5).negative).toBe("yes");
  });

  it("is everything the service takes where nothing is told of the model", () => {
    for (const model of [undefined, { id: "old" }, { id: "other", options: {} }]) {
      expect(offered(model, null)).toEqual({
        steps: { minimum: 1, maximum: 100, usual: null, good: null }, guidance: { minimum: 0, maximum: 30, usual: null, good: null },
        size: null, negative: "yes", decoders: [],
      });
    }
  });

  it("is a choice of decoders once a small one is installed, the service's own first", () => {
    const options = { ...TURBO.options, decoder: { default: "small", choices: ["full", "small"] } };
    expect(offered({ ...TURBO, options }, null).decoders).toEqual(["small", "full"]);
    expect(offered(TURBO, null).decoders).toEqual([]);
  });

  it("is for a picture that begins from another without a decoder, and for variations without guidance", () => {
    const model = { ...TURBO, options: { ...TURBO.options, decoder: { default: "small", choices: ["full", "small"] } } };
    expect([offered(model, null, "edit"), offered(model, null, "vary")].map(({ decoders }) => decoders)).toEqual([[], []]);
    expect([offered(LCM, null, "edit"), offered(LCM, null, "vary")].map(({ guidance }) => guidance.usual)).toEqual([8.5, 1]);
  });

  it("forgets the numbers of the model before, and nothing else", () => {
    expect(withModel(DRAWING, "sd-turbo")).toEqual({ ...DRAWING, model: "sd-turbo", steps: null, guidance: null, decoder: null });
    expect(withModel(DRAWING, "draw")).toBe(DRAWING);
  });
});
