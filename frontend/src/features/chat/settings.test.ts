import { describe, expect, it } from "vitest";
import { modelOfAddress } from "./settings";

describe("a link to the chat", () => {
  it("may name who answers", () => {
    expect(modelOfAddress(`#/chat?model=${encodeURIComponent("ft:oficina-chat:casa:1f&2")}`)).toBe("ft:oficina-chat:casa:1f&2");
  });

  it.each(["#/chat", "#/chat?x=1", "#/models?model=a", ""])("changes nothing else: %j", (hash) => expect(modelOfAddress(hash)).toBeNull());
});
