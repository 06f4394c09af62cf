import { describe, expect, it } from "vitest";
import { chosenOf, linkTo, NEW } from "./chosen";
import { basesOf, suffixIsFine } from "./draft";
import { epochOf, type Job } from "./wire";

describe("the address of a training", () => {
  it("leads back to it", () => {
    expect([chosenOf(linkTo("ftjob-1")), chosenOf(linkTo(NEW))]).toEqual(["ftjob-1", NEW]);
  });

  it.each(["#/training", "#/training/", "#/chat/ftjob-1", ""])("may name none: %j", (hash) => expect(chosenOf(hash)).toBeNull());
});

describe("a new training", () => {
  it("offers models that lie here and that no training made", () => {
    const models = [{ id: "a", task: "chat", owned_by: "oficina" }, { id: "ft:a:b:c", task: "chat", owned_by: "oficina" },
      { id: "far", task: "chat", owned_by: "ollama" }, { id: "gpt-4o", task: "chat", alias_of: "a" }, { id: "voice", task: "speech" }];
    expect(basesOf(models).map(({ id }) => id)).toEqual(["a"]);
  });

  it("has a name that can stand in a model's id", () => {
    expect(["", "casa-1.b_C"].map(suffixIsFine)).toEqual([true, true]);
    expect(["a b", "a:b", "é", "x".repeat(65)].map(suffixIsFine)).toEqual([false, false, false, false]);
  });
});

describe("the epoch of a step", () => {
  it("counts how often all examples were read", () => {
    const job = { counts: { examples: 10, held_out: 0 }, hyperparameters: { batch_size: 4 }, progress: { total_steps: 10 } } as Job;
    expect([0, 1, 2, 3, 10].map((step) => epochOf(job, step))).toEqual([0, 1, 1, 2, 4].map((epoch) => ({ epoch, epochs: 4 })));
  });

  it("is not told where each step reads the examples several times", () => {
    const job = { counts: { examples: 1, held_out: 0 }, hyperparameters: { batch_size: 16 }, progress: { total_steps: 300 } } as Job;
    expect(epochOf(job, 33)).toBeNull();
  });
});
