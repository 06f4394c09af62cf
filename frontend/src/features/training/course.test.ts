import { describe, expect, it } from "vitest";
import type { SseEvent } from "@/shared/api/sse";
import { grow, NOTHING, type Course } from "./course";

const message = (id: number, text: string): SseEvent =>
  ({ event: "message", id: String(id), data: JSON.stringify({ id: String(id), message: text, level: "info", type: "message", data: null }) });
const numbers = (id: number, data: object): SseEvent =>
  ({ event: "message", id: String(id), data: JSON.stringify({ id: String(id), message: "…", level: "info", type: "metrics", data }) });
const after = (...events: SseEvent[]): Course => events.reduce(grow, NOTHING);

describe("the course of a training", () => {
  it("keeps both losses by step, and the steps out of what was said", () => {
    const course = after(message(1, "Created"), numbers(2, { step: 0, total_steps: 9, valid_loss: 5 }),
      numbers(3, { step: 1, total_steps: 9, train_loss: 4, eta_s: 8 }), numbers(4, { step: 3, total_steps: 9, valid_loss: 2 }));
    expect(course.train).toEqual([{ step: 1, loss: 4 }]);
    expect(course.held).toEqual([{ step: 0, loss: 5 }, { step: 3, loss: 2 }]);
    expect(course.said.map(({ id }) => id)).toEqual(["1", "2", "4"]);
    expect([course.step, course.etaS, course.lastId]).toEqual([1, 8, "4"]);
  });

  it("knows nothing twice when the connection was made anew", () => {
    const once = after(message(1, "Created"), numbers(2, { step: 1, total_steps: 9, train_loss: 4 }));
    expect(grow(once, numbers(2, { step: 1, total_steps: 9, train_loss: 4 }))).toEqual(once);
  });

  it("hears the state between events, and never goes back a step", () => {
    const heard = grow(after(numbers(2, { step: 5, total_steps: 9, train_loss: 4, eta_s: 8 })),
      { event: "progress", id: null, data: JSON.stringify({ status: "paused", step: 4, eta_s: null }) });
    expect([heard.status, heard.step, heard.etaS]).toEqual(["paused", 5, 8]);
  });

  it("survives the server's last word", () => {
    expect(grow(NOTHING, { event: "message", id: null, data: "[DONE]" })).toBe(NOTHING);
  });
});
