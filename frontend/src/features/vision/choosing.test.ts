import { describe, expect, it } from "vitest";
import type { Model } from "@/shared/api/types";
import { chosenFor, modelsDoing } from "./choosing";

const BUILT_IN: Model = { id: "oficina-captioner", task: "caption", builtin: true, service: "svc-vision" };
const FLORENCE: Model = { id: "florence", task: "caption", tasks: ["caption", "detection", "ocr"], service: "svc-vision" };
const SMOLVLM: Model = { id: "smolvlm", task: "question", tasks: ["question", "caption"], service: "svc-vision" };
const OTHERS: Model[] = [
  { id: "gpt-4o", task: "caption", alias_of: "oficina-captioner", service: "svc-vision" }, { id: "chat", task: "chat", service: "svc-chat" },
  { id: "strange", task: "caption", service: "svc-chat" },
];
const ALL = [BUILT_IN, SMOLVLM, FLORENCE, ...OTHERS];

describe("the model that looks at a picture", () => {
  it("is one that does the task, in the order in which the service prefers them", () => {
    expect(modelsDoing(ALL, "caption").map((model) => model.id)).toEqual(["florence", "smolvlm", "oficina-captioner"]);
    expect(modelsDoing(ALL, "ocr").map((model) => model.id)).toEqual(["florence"]);
    expect(modelsDoing(undefined, "caption")).toEqual([]);
  });

  it("is the one that was chosen for the task, and for no other", () => {
    expect(chosenFor(ALL, "caption", { caption: "smolvlm" })).toBe("smolvlm");
    expect(chosenFor(ALL, "question", { caption: "smolvlm" })).toBeNull();
  });

  it("is left to the service once the chosen one is gone, or does not do this", () => {
    expect(chosenFor([BUILT_IN], "caption", { caption: "smolvlm" })).toBeNull();
    expect(chosenFor(ALL, "ocr", { ocr: "smolvlm" })).toBeNull();
  });
});
