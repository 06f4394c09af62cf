import { describe, expect, it } from "vitest";
import { ApiError } from "@/shared/api/errors";
import { grow, NOTHING } from "./answer";
import { told } from "./fakeServer";
import { lastQuestion, messagesOf } from "./messages";
import type { Thread } from "./threads";
import { viewOf } from "./view";
import type { Item, ServerEvent } from "./wire";

const user = (id: string, text: string): Item => ({ id, type: "message", role: "user", content: [{ type: "input_text", text }], response_id: "r1" });
const bot = (id: string, text: string, status = "completed"): Item => ({ id, type: "message", role: "assistant", status, content: [{ type: "output_text", text }], response_id: "r1" });
const quiet: Thread = { question: null, sending: false, error: null, answer: null, connected: true };
const asking = { text: "olá", replaces: [], after: null };
const grown = (count: number) => (told("r1", ["um ", "dois"]) as ServerEvent[]).slice(0, count).reduce(grow, NOTHING);

describe("what a conversation looks like", () => {
  it("shows a question at once, and once only when the server has it", () => {
    expect(viewOf([], { ...quiet, question: asking, sending: true }, null)).toMatchObject({ messages: [], question: asking, pending: { state: "waiting" } });
    const early = viewOf([user("u1", "olá")], { ...quiet, question: asking, sending: true }, null);
    expect([early.messages.length, early.question, early.accepted, early.pending?.state]).toEqual([1, null, false, "waiting"]);
    const taken = viewOf([user("u1", "olá")], { ...quiet, question: asking, answer: grown(1) }, "r1");
    expect([taken.messages.length, taken.question, taken.accepted]).toEqual([1, null, true]);
  });

  it("does not take an earlier, equal question for the new one", () => {
    const view = viewOf([user("u1", "olá")], { ...quiet, question: { ...asking, after: "u1" } }, null);
    expect([view.accepted, view.question?.text]).toEqual([false, "olá"]);
  });

  it("hides what is being replaced", () => {
    const items = [user("u1", "a"), bot("b1", "x"), user("u2", "b"), bot("b2", "y")];
    const view = viewOf(items, { ...quiet, question: { text: "c", replaces: ["u2", "b2"], after: "u1" } }, null);
    expect(view.messages.map((message) => message.id)).toEqual(["u1", "b1"]);
  });

  it("tells why a question was not taken, also while its items are seen that the server takes back", () => {
    const error = new ApiError("", "queue_full", 429);
    const lost = viewOf([], { ...quiet, question: asking, error }, null);
    expect([lost.unsent, lost.pending, lost.question]).toEqual([error, null, asking]);
    const seen = viewOf([user("u1", "olá")], { ...quiet, question: asking, error }, null);
    expect([seen.unsent, seen.accepted, seen.question, seen.messages.length]).toEqual([error, false, null, 1]);
  });

  it("shows an answer once: while it is written, or as the item that it became", () => {
    const items = [user("u1", "olá")];
    expect(viewOf(items, { ...quiet, answer: grown(3) }, "r1").pending).toEqual({ state: "writing", text: "um ", connected: true });
    expect(viewOf([...items, bot("msg_r1", "um dois")], { ...quiet, answer: grown(5) }, null).pending).toBeNull();
    expect(viewOf(items, { ...quiet, answer: grown(5) }, "r1").pending?.text).toBe("um dois");
  });

  it("says that an answer waits in the queue", () => {
    const queued = grow(NOTHING, { type: "response.queued", sequence_number: 0, response: { id: "r1", status: "queued", model: "m", output: [] } });
    expect(viewOf([], { ...quiet, answer: queued }, "r1").pending?.state).toBe("queued");
  });
});

describe("items as messages", () => {
  it("leave out instructions, and show calls and pictures of other programs", () => {
    const items: Item[] = [
      { id: "s", type: "message", role: "system", content: [{ type: "input_text", text: "Be brief." }] },
      { id: "u", type: "message", role: "user", content: [{ type: "input_text", text: "veja" }, { type: "input_image", image_url: "data:," }] },
      { id: "c", type: "function_call", name: "tempo", arguments: "{}" },
      { id: "o", type: "function_call_output" },
      bot("b", "sol", "incomplete"),
    ];
    expect(messagesOf(items)).toMatchObject([{ id: "u", text: "veja", pictures: 1 }, { id: "c", role: "call", text: "tempo({})" }, { id: "b", incomplete: true }]);
    expect(lastQuestion(items)).toMatchObject({ text: "veja", itemIds: ["u", "c", "o", "b"] });
    expect(lastQuestion([])).toBeNull();
  });
});
