import { describe, expect, it } from "vitest";
import type { SseEvent } from "@/shared/api/sse";
import { grow, NOTHING, settled, type Live } from "./live";

const event = (name: string, data: object | string): SseEvent =>
  ({ event: name, data: typeof data === "string" ? data : JSON.stringify(data), id: null });
const after = (...events: SseEvent[]): Live => events.reduce(grow, NOTHING);
const delta = (id: string, value: string) =>
  event("thread.message.delta", { id, delta: { content: [{ index: 0, type: "text", text: { value } }] } });

describe("a run in the making", () => {
  it("gathers the text of each message", () => {
    const live = after(delta("a", "Olá"), delta("b", "x"), delta("a", ", mundo"));
    expect([...live.texts]).toEqual([["a", "Olá, mundo"], ["b", "x"]]);
  });

  it("knows when it waits for the reader and when it is over", () => {
    const states = ["queued", "in_progress", "requires_action", "cancelling", "completed", "failed", "expired", "incomplete", "cancelled"];
    const waits = states.filter((status) => settled(after(event(`thread.run.${status}`, { id: "r", status }))));
    expect(waits).toEqual(["requires_action", "completed", "failed", "expired", "incomplete", "cancelled"]);
    expect(settled(NOTHING)).toBe(false);
  });

  it("asks for the lists again when a step or a message began or ended, not at every piece", () => {
    const live = after(event("thread.run.step.created", { id: "s" }), event("thread.run.step.delta", { id: "s" }), delta("a", "x"),
      event("thread.run.step.completed", { id: "s" }), event("thread.message.completed", { id: "a" }));
    expect(live.changes).toBe(3);
  });

  it("tells what the server says went wrong, and survives its last word", () => {
    expect(after(event("error", { error: { message: "No room." } }), event("done", "[DONE]")).failure).toBe("No room.");
  });
});
