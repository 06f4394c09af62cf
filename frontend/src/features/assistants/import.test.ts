import { describe, expect, it } from "vitest";
import { personasOf } from "./import";

describe("a file of personas", () => {
  it("becomes assistants whose instructions are the descriptions", () => {
    const text = JSON.stringify({ personas: [{ name: "Ana", description: "Fala como pirata." }] });
    expect(personasOf(text, "m")).toEqual([
      { name: "Ana", description: "Fala como pirata.", instructions: "Fala como pirata.", model: "m", tools: [] },
    ]);
  });

  it("is refused as a whole when one row is of another shape", () => {
    for (const text of ["x", "[]", "{}", '{"personas":[{"name":"Ana"}]}', '{"personas":[{"name":"A","description":"b"},null]}']) {
      expect(() => personasOf(text, "m"), text).toThrow("personas");
    }
  });
});
