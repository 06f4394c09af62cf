import { describe, expect, it } from "vitest";
import { en } from "@/shared/i18n/en";
import { tabOf, trainingOf } from "./status";

describe("the services", () => {
  it("are called as the tabs that they answer for", () => {
    const services = ["chat", "image-gen", "vision", "translate", "tts", "rag"];
    expect(services.map((name) => en.tabs[tabOf(name) as keyof typeof en.tabs])).toEqual(["Chat", "Images", "Vision", "Translate", "Speech", "Documents"]);
    expect([tabOf("code"), tabOf("new")]).toEqual([null, null]);
  });

  it("hold memory for trainings beside models", () => {
    expect([trainingOf("training ftjob-1"), trainingOf("oficina-chat")]).toEqual(["ftjob-1", null]);
  });
});
