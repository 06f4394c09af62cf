import { beforeEach, describe, expect, it } from "vitest";
import { fakeServer, json } from "./fakeServer";
import { bringAll, loadLegacy } from "./legacy";

const conversation = (id: string, createdAt: number, count: number) => ({
  id, createdAt, messages: Array.from({ length: count }, (_, n) => ({ id: `${id}${n}`, role: n % 2 ? "assistant" : "user", content: `${id} ${n}`, model: "m" })),
});
let kept: Record<string, string>;

beforeEach(() => {
  kept = { "oficina.chat.ana": JSON.stringify([conversation("nova", 2, 45), conversation("velha", 1, 1), conversation("vazia", 3, 0)]) };
  globalThis.localStorage = { getItem: (key: string) => kept[key] ?? null, setItem: (key: string, text: string) => { kept[key] = text; } } as Storage;
});

describe("conversations of an earlier version", () => {
  it("come oldest first, in pieces that the server takes, and are then gone here", async () => {
    const { calls } = fakeServer({ "POST /v1/conversations": () => json({ id: "conv_1" }) });
    await bringAll("ana");
    expect(calls.map(({ line, json }) => [line, (json as { items: unknown[] }).items.length])).toEqual([
      ["POST /v1/conversations", 1], ["POST /v1/conversations", 20], ["POST /v1/conversations/conv_1/items", 20], ["POST /v1/conversations/conv_1/items", 5],
    ]);
    expect(calls[0]!.json).toEqual({ items: [{ type: "message", role: "user", content: "velha 0" }] });
    expect(loadLegacy("ana")).toEqual([]);
  });

  it("stay when the server fails, without half of one at the server", async () => {
    const { lines } = fakeServer({ "POST /v1/conversations/conv_1/items": () => json({}, 503), "POST /v1/conversations": () => json({ id: "conv_1" }), "DELETE /v1/conversations/conv_1": () => json({}) });
    await expect(bringAll("ana")).rejects.toMatchObject({ status: 503 });
    expect(loadLegacy("ana").map((one) => one.id)).toEqual(["nova"]);
    expect(lines().at(-1)).toBe("DELETE /v1/conversations/conv_1");
  });
});
