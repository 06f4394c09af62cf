import i18next from "i18next";
import { beforeAll, describe, expect, it } from "vitest";
import { en } from "@/shared/i18n/en";
import { ptBR } from "@/shared/i18n/pt-BR";
import { ALL, choices, hindrance, isSmallWorld, obstacleText, passes, type Entry, type Obstacle } from "./catalogue";

beforeAll(() => i18next.init({ lng: "en", resources: { "pt-BR": { translation: ptBR }, en: { translation: en } }, interpolation: { escapeValue: false } }));

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

  it("says why a model does not run in the reader's language, and in the service's words where the reason is new", () => {
    const told = (obstacle: Obstacle | null, language: string) => obstacleText({ obstacle, why_not: "Because." }, i18next.getFixedT(language), (key) => i18next.exists(key), language);
    const kind: Obstacle = { of: "kind", found: "blip", runs: ["vits", "bark", "$t(tabs.chat)"] };
    expect(told(kind, "pt-BR")).toBe("É do tipo blip; aqui roda vits, bark ou $t(tabs.chat).");
    expect(told(kind, "en")).toBe("It is of the kind blip; here runs vits, bark, or $t(tabs.chat).");
    expect(told({ of: "pickle", found: "model.bin", runs: [] }, "pt-BR")).toContain("“model.bin” é um pickle");
    expect([told({ of: "new" }, "en"), told(null, "en")]).toEqual(["Because.", "Because."]);
  });

  it("tells what does not run from what does not fit", () => {
    expect([small, others, huge].map(hindrance)).toEqual([null, "runs", "fits"]);
  });
});
