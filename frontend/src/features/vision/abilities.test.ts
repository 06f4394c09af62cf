import { describe, expect, it } from "vitest";
import { abilitiesOf } from "./abilities";

describe("what a picture can be asked", () => {
  it("is nothing while no model has come, or only built-in ones have", () => {
    expect(abilitiesOf(undefined)).toEqual({ question: false, ocr: false });
    expect(abilitiesOf([{ id: "a", task: "caption", tasks: ["caption"] }, { id: "b", task: "detection" }])).toEqual({ question: false, ocr: false });
  });

  it("is what any model does beside its main task", () => {
    expect(abilitiesOf([{ id: "florence", task: "caption", tasks: ["caption", "detection", "ocr"] }])).toEqual({ question: false, ocr: true });
    expect(abilitiesOf([{ id: "smolvlm", task: "question", tasks: ["question", "caption"] }])).toEqual({ question: true, ocr: false });
  });

  it("is told by the main task alone where a service names no others", () => {
    expect(abilitiesOf([{ id: "old", task: "question" }]).question).toBe(true);
  });
});
