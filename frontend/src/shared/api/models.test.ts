import { describe, expect, it } from "vitest";
import { modelsFor } from "./models";
import type { Model } from "./types";

describe("the models of a task", () => {
  it("are neither aliases nor what a training kept on its way", () => {
    const ids = ["oficina-chat", "ft:oficina-chat:train:1a", "ft:oficina-chat:train:1a:ckpt-step-75"];
    const models = [...ids.map((id) => ({ id, task: "chat" })), { id: "gpt-4o", task: "chat", alias_of: "oficina-chat" }] as Model[];
    expect(modelsFor(models, "chat").map(({ id }) => id)).toEqual(["oficina-chat", "ft:oficina-chat:train:1a"]);
  });
});
