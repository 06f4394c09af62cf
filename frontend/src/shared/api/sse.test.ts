import { describe, expect, it } from "vitest";
import { readSse, SseParser, type SseEvent } from "./sse";

function body(...chunks: (string | Uint8Array)[]): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(typeof chunk === "string" ? encoder.encode(chunk) : chunk);
      controller.close();
    },
  });
}

async function all(stream: ReadableStream<Uint8Array>): Promise<SseEvent[]> {
  const events: SseEvent[] = [];
  for await (const event of readSse(stream)) events.push(event);
  return events;
}

describe("the reader of server-sent events", () => {
  it("reads name, data and id", async () => {
    expect(await all(body("event: step\nid: 7\ndata: {}\n\n"))).toEqual([{ event: "step", data: "{}", id: "7" }]);
  });

  it("finds the same events however the bytes are cut", () => {
    const text = "id: 1\r\ndata: um\r\ndata: dois\r\n\r\n: vida\n\ndata:três\n\n";
    const whole = new SseParser().push(text);
    for (let cut = 1; cut < text.length; cut++) {
      const parser = new SseParser();
      expect([...parser.push(text.slice(0, cut)), ...parser.push(text.slice(cut))]).toEqual(whole);
    }
    expect(whole.map((event) => event.data)).toEqual(["um\ndois", "três"]);
  });

  it("keeps a letter whose bytes come in two pieces", async () => {
    const bytes = new TextEncoder().encode("data: ação\n\n");
    expect((await all(body(bytes.slice(0, 8), bytes.slice(8))))[0]?.data).toBe("ação");
  });

  it("ignores signs of life", async () => {
    expect(await all(body(": ping\n\n", ": ping\n\n"))).toEqual([]);
  });

  it("keeps the last id for the events after it", async () => {
    expect((await all(body("id: 4\ndata: a\n\ndata: b\n\n"))).map((event) => event.id)).toEqual(["4", "4"]);
  });

  it.each([
    ["breaks", (controller: ReadableStreamDefaultController) => controller.error(new TypeError("network error"))],
    ["falls silent", () => undefined],
  ])("takes a connection that %s for one that may be opened again", async (_, start) => {
    const reading = readSse(new ReadableStream<Uint8Array>({ start }), 20).next();
    await expect(reading).rejects.toMatchObject({ code: "offline", transient: true });
  });

  it("cancels the request when the loop is left", async () => {
    let cancelled = false;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) { controller.enqueue(new TextEncoder().encode("data: x\n\n")); },
      cancel() { cancelled = true; },
    });
    for await (const event of readSse(endless)) if (event) break;
    expect(cancelled).toBe(true);
  });
});
