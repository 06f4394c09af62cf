import { describe, expect, it } from "vitest";
import { ended, failureOf, grow, NOTHING, statsOf, type Answer } from "./answer";
import { events, fakeServer, json, told } from "./fakeServer";
import { follow } from "./follow";
import type { ResponseBody, ServerEvent } from "./wire";

const whole = told("r1", ["um ", "dois ", "três"]) as ServerEvent[];
const after = (line: string) => Number(/starting_after=(-?\d+)/.exec(line)![1]);

describe("an answer", () => {
  it("grows to the same text wherever the events were cut and told again", () => {
    for (let cut = 0; cut <= whole.length; cut++) {
      for (let back = 0; back <= cut; back++) {
        const answer = [...whole.slice(0, cut), ...whole.slice(back)].reduce(grow, NOTHING);
        expect([answer.text, answer.itemIds, ended(answer)]).toEqual(["um dois três", ["msg_r1"], true]);
      }
    }
  });

  it("tells its speed only when the server measured it", () => {
    const body = { usage: { output_tokens: 12 } } as ResponseBody;
    expect(statsOf(body)).toEqual({ tokens: 12, tokensPerS: null, queueS: null });
    expect(statsOf({ ...body, timing: { run_ms: 500, queue_ms: 2000 } })).toEqual({ tokens: 12, tokensPerS: 24, queueS: 2 });
  });

  it("that failed is never asked again by itself", () => {
    const failed = { status: "failed", error: { code: "rate_limit_exceeded", type: "queue_full", message: "full" } } as ResponseBody;
    expect(failureOf(failed)).toMatchObject({ code: "queue_full", transient: false });
    expect(failureOf({ status: "completed" } as ResponseBody)).toBeNull();
  });
});

describe("following an answer", () => {
  const watch = () => {
    const seen: [string, boolean][] = [];
    return { seen, report: (answer: Answer, connected: boolean) => void seen.push([answer.text, connected]) };
  };

  it("goes on after the last event that it saw when the connection breaks, and says so meanwhile", async () => {
    const { lines } = fakeServer({ "GET /v1/responses/r1": ({ line }) => (after(line) < 0 ? events(whole.slice(0, 3), "break") : events(whole.slice(after(line) + 1))) });
    const { seen, report } = watch();
    const answer = await follow("r1", NOTHING, null, report, new AbortController().signal);
    expect(answer.text).toBe("um dois três");
    expect(lines().map(after)).toEqual([-1, 2]);
    expect(seen.filter(([, connected]) => !connected)).toEqual([["um ", false]]);
    expect(seen.at(-1)).toEqual(["um dois três", true]);
  });

  it("outlasts a server that is away, and a stream that ends before the answer", async () => {
    const replies = [() => json({ error: {} }, 503), () => Promise.reject(new TypeError("refused")), () => events(whole.slice(0, 2)), () => events(whole.slice(2))];
    fakeServer({ "GET /v1/responses/r1": () => replies.shift()!() });
    expect((await follow("r1", NOTHING, null, () => undefined, new AbortController().signal)).text).toBe("um dois três");
    expect(replies).toEqual([]);
  });

  it("takes an error event for a broken telling, not for a broken answer", async () => {
    const replies = [[...whole.slice(0, 3), { type: "error", code: "history_unavailable", sequence_number: 0 }], whole.slice(3)];
    fakeServer({ "GET /v1/responses/r1": () => events(replies.shift()!) });
    expect((await follow("r1", NOTHING, null, () => undefined, new AbortController().signal)).text).toBe("um dois três");
  });

  it("ends when the answer is gone", async () => {
    fakeServer({ "GET /v1/responses/r1": () => json({ error: { code: "not_found" } }, 404) });
    await expect(follow("r1", NOTHING, null, () => undefined, new AbortController().signal)).rejects.toMatchObject({ status: 404 });
  });

  it("ends when it is told to, also between two tries", async () => {
    fakeServer({ "GET /v1/responses/r1": () => json({}, 503) });
    const controller = new AbortController();
    const following = follow("r1", NOTHING, null, () => controller.abort(), controller.signal);
    await expect(following).rejects.toMatchObject({ name: "AbortError" });
  });
});
