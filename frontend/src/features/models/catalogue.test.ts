import { describe, expect, it } from "vitest";
import { ALL, choices, hindrance, isSmallWorld, passes, type Entry } from "./catalogue";

const entry = (more: Partial<Entry>): Entry => ({ id: "m", task: "chat", installed: false, ...more }) as Entry;
const small = entry({
  id: "small", languages: ["pt-BR", "en"], license: "MIT", quantization: "Q4_K_M", publisher: "Casa", fits: true, runnable: true,
  good_for: { "pt-BR": "Conversa curta.", en: "A short talk." },
});
const others = entry({ id: "nc", task: "caption", languages: ["fr"], license: "CC-BY-NC-4.0", noncommercial: true, publisher: "Maison", runnable: false });
const huge = entry({ id: "huge", fits: false, runnable: true });
const found = (wanted: object) => [small, others, huge].filter((one) => passes(one, { ...ALL, ...wanted })).map((one) => one.id);

describe("the catalogue", () => {
  it("is searched by words in names, publishers and sentences, and by each fact", () => {
    expect(found({})).toEqual(["small", "nc", "huge"]);
    expect(found({ text: " CASA curta " })).toEqual(["small"]);
    expect(found({ task: "caption" })).toEqual(["nc"]);
    expect(found({ language: "pt" })).toEqual(["small"]);
    expect(found({ license: "MIT" })).toEqual(["small"]);
    expect(found({ quantization: "Q4_K_M" })).toEqual(["small"]);
    expect(found({ publisher: "Maison" })).toEqual(["nc"]);
    expect(found({ commercial: true })).toEqual(["small", "huge"]);
    expect(found({ fits: true })).toEqual(["small"]);
  });

  it("keeps what is installed among what runs here", () => {
    expect(passes({ ...huge, installed: true }, { ...ALL, fits: true })).toBe(true);
  });

  it("finds a model by what it does beside its main task", () => {
    const florence = entry({ id: "florence", task: "caption", tasks: ["caption", "detection", "ocr"] });
    expect(passes(florence, { ...ALL, task: "ocr" })).toBe(true);
    expect(passes(florence, { ...ALL, task: "question" })).toBe(false);
    expect(choices([florence, others], "task")).toEqual(["caption", "detection", "ocr"]);
  });

  it("offers each value once, languages without their country", () => {
    expect(choices([small, others, small], "language")).toEqual(["en", "fr", "pt"]);
    expect(choices([small, huge], "publisher")).toEqual(["Casa"]);
  });

  it("says of the project's own models that they are small, and not of a voice or an embedder that comes with it", () => {
    const builtin = (task: string) => isSmallWorld(entry({ task, builtin: true }));
    expect(["chat", "image", "caption", "translation", "speech", "embedding"].map(builtin)).toEqual([true, true, true, true, false, false]);
    expect(isSmallWorld(small)).toBe(false);
  });

  it("tells what does not run from what does not fit", () => {
    expect([small, others, huge].map(hindrance)).toEqual([null, "runs", "fits"]);
  });
});
