import { describe, expect, it } from "vitest";
import { passageOf } from "./documents";

const text = "🛠 Regras. A oficina abre às oito. Fim.";
const quote = "A oficina abre às oito.";

describe("the passage of a citation", () => {
  it("counts characters as the service does, not UTF-16 units", () => {
    const start = Array.from(text.slice(0, text.indexOf(quote))).length;
    const passage = passageOf(text, { document_id: "d", start, end: start + quote.length, quote });
    expect([passage.before, passage.marked, passage.after]).toEqual(["🛠 Regras. ", quote, " Fim."]);
  });

  it("is looked up by its quote when the span does not hold it", () => {
    expect(passageOf(text, { document_id: "d", start: 0, end: 3, quote }).marked).toBe(quote);
  });

  it("is cut from a long document", () => {
    const passage = passageOf("a".repeat(50), { document_id: "d", start: 20, end: 25 }, 5);
    expect(passage).toEqual({ before: "aaaaa", marked: "aaaaa", after: "aaaaa", cutBefore: true, cutAfter: true });
  });
});
