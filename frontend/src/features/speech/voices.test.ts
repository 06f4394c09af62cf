import { describe, expect, it } from "vitest";
import type { Voice } from "@/shared/api/speech";
import { grouped } from "./voices";

const robot: Voice[] = [
  { id: "en-us", name: "English", language: "en-us", model: "espeak-ng" },
  { id: "pt-br", name: "Portuguese", language: "pt-br", model: "espeak-ng" },
];
const kokoro: Voice[] = [{ id: "pf_dora", name: "Dora", language: "pt-br", model: "Kokoro-82M" }];
const piper: Voice[] = [{ id: "piper-faber", name: "piper-faber", language: "pt-br", model: "piper-faber" }];

describe("voices", () => {
  it("stand under their language, the reader's own first", () => {
    expect(grouped(robot, "pt-BR").map((one) => one.items.map((item) => item.value))).toEqual([["pt-br"], ["en-us"]]);
    expect(grouped(robot, "en").map((one) => one.items.map((item) => item.value))).toEqual([["en-us"], ["pt-br"]]);
  });

  it("tell their model once there is more than one", () => {
    expect(grouped(robot, "pt-BR")[0]!.items[0]!.label).toBe("Portuguese");
    expect(grouped([...robot, ...kokoro, ...piper], "pt-BR")[0]!.items.map((item) => item.label)).toEqual([
      "Portuguese · espeak-ng", "Dora · Kokoro-82M", "piper-faber",
    ]);
  });
});
