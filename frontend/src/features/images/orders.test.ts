import { describe, expect, it } from "vitest";
import { NO_MASK } from "./mask";
import { drawOrder, redrawOrder, usualStrength, type Drawing, type Redrawing } from "./orders";

const DRAWING: Drawing = { prompt: " um anel ", negativePrompt: "", size: "auto", steps: null, guidance: null, seed: 7, model: null, decoder: "small" };
const source = new File(["x"], "foto.png", { type: "image/png" });
const REDRAWING: Redrawing = { source, size: { width: 8, height: 8 }, mask: NO_MASK, strength: null, count: 2 };
const sent = (form: FormData | undefined) => Object.fromEntries([...form!].map(([name, value]) => [name, value instanceof File ? value.name : value]));

describe("what is asked for", () => {
  it("of a new picture is JSON with what was chosen and nothing else", () => {
    expect(drawOrder(DRAWING)).toEqual({
      path: "/v1/images/generations", prompt: "um anel", json: { prompt: "um anel", response_format: "url", seed: 7, decoder: "small" },
    });
  });

  it("of a picture that is there is a form with it; the last step is the model's own", async () => {
    const order = await redrawOrder("edit", DRAWING, REDRAWING);
    expect(order.path).toBe("/v1/images/edits");
    expect(sent(order.form)).toEqual({ image: "foto.png", prompt: "um anel", n: "2", response_format: "url", seed: "7" });
  });

  it("of a variation needs no text and takes no mask", async () => {
    const mask = { strokes: [], file: { file: new File(["m"], "m.png"), picture: {} as ImageBitmap } };
    const order = await redrawOrder("vary", { ...DRAWING, prompt: " " }, { ...REDRAWING, mask, strength: 0.3 });
    expect([order.path, order.prompt]).toEqual(["/v1/images/variations", ""]);
    expect(sent(order.form)).toEqual({ image: "foto.png", n: "2", strength: "0.3", response_format: "url", seed: "7" });
    expect(sent((await redrawOrder("edit", DRAWING, { ...REDRAWING, mask })).form)).toMatchObject({ mask: "mask.png" });
  });

  it("is one picture where no number is written", async () => {
    expect(sent((await redrawOrder("vary", DRAWING, { ...REDRAWING, count: null })).form)).toMatchObject({ n: "1" });
  });

  it("changes as much as the service would by itself", () => {
    expect([usualStrength("edit", false), usualStrength("edit", true), usualStrength("vary", true)]).toEqual([0.8, 1, 0.5]);
  });
});
