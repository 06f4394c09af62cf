import { beforeEach, describe, expect, it, vi } from "vitest";
import { events, fakeServer, json, told } from "./fakeServer";
import { Threads } from "./threads";
import { DRAFT, Unsent } from "./unsent";

const question = { text: "olá", replaces: [] as string[], after: null };
const wishes = { body: { model: "m" }, metadata: { persona: "p1" } };
const conversation = { id: "conv_1", metadata: {}, title: "", created_at: 0, updated_at: 0, response_in_progress: null };
let kept: Record<string, string>;

beforeEach(() => {
  kept = {};
  globalThis.localStorage = { getItem: (key: string) => kept[key] ?? null, setItem: (key: string, text: string) => { kept[key] = text; } } as Storage;
});

function threadsWith(unsent = new Unsent("unsent"), stands = false) {
  const changed: string[] = [];
  const made: string[] = [];
  const threads = new Threads(unsent, {
    made: ({ id }) => { made.push(id); threads.watch(id, null); },
    changed: (id) => { changed.push(id); return Promise.resolve(true); },
    stands: () => stands,
  });
  return { threads, changed, made, unsent };
}

describe("a question", () => {
  it("makes its conversation, is asked in it, and its answer is followed to the end", async () => {
    const { calls, lines } = fakeServer({ "POST /v1/conversations": () => json(conversation), "POST /v1/responses": () => events(told("r1", ["um ", "dois"])) });
    const { threads, changed, made, unsent } = threadsWith();
    const seen: (string | undefined)[] = [];
    threads.subscribe(() => seen.push(threads.get("conv_1").answer?.text));
    await threads.send(DRAFT, question, wishes);
    await vi.waitFor(() => expect(changed).toEqual(["conv_1", "conv_1"]));
    expect(lines()).toEqual(["POST /v1/conversations", "POST /v1/responses"]);
    expect(calls[0]!.json).toEqual({ metadata: { persona: "p1" } });
    expect(calls[1]!.json).toEqual({ model: "m", conversation: "conv_1", input: "olá", stream: true });
    expect([made, seen.includes("um dois"), unsent.all(), threads.get("conv_1").answer]).toEqual([["conv_1"], true, {}, null]);
  });

  it("that is refused stays, with the reason, also for the next page", async () => {
    fakeServer({ "POST /v1/responses": () => json({ error: { code: "queue_full" } }, 429, { "retry-after": "7" }) });
    const { threads, changed } = threadsWith();
    await threads.send("conv_1", question, wishes);
    expect(threads.get("conv_1")).toMatchObject({ question, error: { code: "queue_full", retryAfterS: 7 } });
    expect(changed).toEqual(["conv_1"]);
    const next = threadsWith().threads;
    expect(next.get("conv_1")).toMatchObject({ question, error: { code: "not_sent" } });
    next.settle("conv_1");
    expect(threadsWith().threads.get("conv_1").question).toBeNull();
  });

  it("that is refused stays even if the items showed it for a moment; one that only lost its receipt does not", async () => {
    const replies = [() => json({ error: { code: "queue_full" } }, 429), () => Promise.reject(new TypeError("connection reset"))];
    fakeServer({ "POST /v1/responses": () => replies.shift()!() });
    const { threads, unsent } = threadsWith(new Unsent("unsent"), true);
    await threads.send("conv_1", question, wishes);
    expect([threads.get("conv_1").question, Object.keys(unsent.all())]).toEqual([question, ["conv_1"]]);
    await threads.send("conv_1", question, wishes);
    expect([threads.get("conv_1").question, threads.get("conv_1").error, unsent.all()]).toEqual([null, null, {}]);
  });

  it("first removes what it replaces, from the end, and does not mind what is gone", async () => {
    const { lines } = fakeServer({
      "DELETE /v1/conversations/conv_1/items/b": () => json({ error: { code: "not_found" } }, 404), "DELETE": () => json({}),
      "POST /v1/responses": () => events(told("r1", ["um"])),
    });
    await threadsWith().threads.send("conv_1", { ...question, replaces: ["a", "b"] }, wishes);
    expect(lines()).toEqual(["DELETE /v1/conversations/conv_1/items/b", "DELETE /v1/conversations/conv_1/items/a", "POST /v1/responses"]);
  });

  it("that another program's answer keeps out is still to be asked when that answer has ended", async () => {
    fakeServer({ "POST /v1/responses": () => json({ error: { code: "conversation_locked" } }, 409), "GET /v1/responses/r9": () => events(told("r9", ["dela"])) });
    const { threads, changed } = threadsWith();
    await threads.send("conv_1", question, wishes);
    threads.watch("conv_1", "r9");
    await vi.waitFor(() => expect(changed.length).toBe(2));
    await vi.waitFor(() => expect(threads.get("conv_1").answer).toBeNull());
    expect(threads.get("conv_1")).toMatchObject({ question, error: { code: "conversation_locked" } });
  });

  it("stopped before the server named its answer is stopped as soon as it does", async () => {
    const { lines } = fakeServer({ "POST /v1/responses/r1/cancel": () => json({}), "POST /v1/responses": async (_, signal) => events(told("r1", []).slice(0, 1), "wait", signal) });
    const { threads } = threadsWith();
    threads.watch("conv_1", null);
    const sending = threads.send("conv_1", question, wishes);
    await threads.stop("conv_1", null);
    await sending;
    await vi.waitFor(() => expect(lines()).toEqual(["POST /v1/responses", "POST /v1/responses/r1/cancel"]));
    threads.watch(null, null);
  });
});

describe("looking at a conversation", () => {
  it("attaches to the answer in progress once, and leaves it for another conversation", async () => {
    const signals: (AbortSignal | undefined)[] = [];
    const { lines } = fakeServer({ "GET /v1/responses/": (_, signal) => { signals.push(signal); return events(told("r1", ["um"]).slice(0, 3), "wait", signal); } });
    const { threads } = threadsWith();
    threads.watch("conv_1", "r1");
    threads.watch("conv_1", "r1");
    await vi.waitFor(() => expect(threads.get("conv_1").answer?.text).toBe("um"));
    threads.watch("conv_2", null);
    expect([signals.length, signals[0]!.aborted]).toEqual([1, true]);
    threads.watch("conv_1", "r1");
    await vi.waitFor(() => expect(signals.length).toBe(2));
    expect(lines()[1]).toBe("GET /v1/responses/r1?stream=true&starting_after=2");
    threads.watch(null, null);
  });

  it("drops what it saw of an answer that has ended meanwhile: the items have all of it", async () => {
    fakeServer({ "GET /v1/responses/": (_, signal) => events(told("r1", ["um"]).slice(0, 3), "wait", signal) });
    const { threads } = threadsWith();
    threads.watch("conv_1", "r1");
    await vi.waitFor(() => expect(threads.get("conv_1").answer?.text).toBe("um"));
    threads.watch(null, null);
    threads.watch("conv_1", null);
    expect(threads.get("conv_1").answer).toBeNull();
  });

  it("keeps an answer on screen while the server cannot be asked for the items", async () => {
    fakeServer({ "GET /v1/responses/": () => events(told("r1", ["um"])) });
    const threads = new Threads(new Unsent("unsent"), { made: () => undefined, changed: () => Promise.resolve(false), stands: () => false });
    threads.watch("conv_1", "r1");
    await vi.waitFor(() => expect(threads.get("conv_1").answer?.response?.status).toBe("completed"));
    await Promise.resolve();
    expect(threads.get("conv_1").answer?.text).toBe("um");
  });
});
