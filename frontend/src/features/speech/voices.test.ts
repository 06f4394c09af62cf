import { describe, expect, it } from "vitest";
import type { Voice } from "@/shared/api/speech";
import { grouped, voiceName } from "./voices";

const robot: Voice[] = [
  { id: "en-us", name: "English", language: "en-us", model: "espeak-ng" },
  { id: "pt-br", name: "Portuguese", language: "pt-br", model: "espeak-ng" },
];
const kokoro: Voice[] = [{ id: "pf_dora", name: "Dora", language: "pt-br", model: "Kokoro-82M" }];
const piper: Voice[] = [{ id: "piper-faber", name: "piper-faber", language: "pt-br", model: "piper-faber" }];

const words = (key: string, { number }: { number: string }) => `${key} ${number}`;

describe("voices", () => {
  it("stand under their language, the reader's own first", () => {
    expect(grouped(robot, "pt-BR", words).map((one) => one.items.map((item) => item.value))).toEqual([["pt-br"], ["en-us"]]);
    expect(grouped(robot, "en", words).map((one) => one.items.map((item) => item.value))).toEqual([["en-us"], ["pt-br"]]);
  });

  it("tell their model once there is more than one", () => {
    expect(grouped(robot, "pt-BR", words)[0]!.items[0]!.label).toBe("português (Brasil)");
    expect(grouped([...robot, ...kokoro, ...piper], "pt-BR", words)[0]!.items.map((item) => item.label)).toEqual([
      "português (Brasil) · espeak-ng", "Dora · Kokoro-82M", "piper-faber",
    ]);
  });

  it("called after their language are called so in the reader's", () => {
    const named = (id: string, language: string, name: string) => voiceName({ id, language, name, model: "espeak-ng" }, "pt-BR", words);
    expect(named("en-us", "en-us", "English (America)")).toBe("inglês (Estados Unidos)");
    expect(named("pt-br+Anika", "pt-br", "Portuguese (Brazil), Anika")).toBe("português (Brasil), Anika");
    expect(named("pt-br+f2", "pt-br", "Portuguese (Brazil), female 2")).toBe("português (Brasil), speech.timbre.f 2");
    expect(named("ca-va", "ca-va", "Catalan (Valencian)")).toBe("Catalan (Valencian)");
    expect(named("en-gb-x-rp", "en-gb-x-rp", "English (Received Pronunciation)")).toBe("English (Received Pronunciation)");
    expect(named("nci", "nci", "Nahuatl (Classical)")).toBe("Nahuatl (Classical)");
    expect(named("pf_dora", "pt-br", "Dora")).toBe("Dora");
  });
});
