/** Owns reading server-sent events from a fetch body; knows nothing about what the events mean. */
import { isAbort } from "./client";
import { ApiError } from "./errors";

export interface SseEvent {
  event: string;
  data: string;
  id: string | null;
}

/** Collects the lines of a stream into events, however the bytes were cut. */
export class SseParser {
  private rest = "";
  private event = "";
  private lines: string[] = [];
  private id: string | null = null;

  push(text: string): SseEvent[] {
    this.rest += text;
    const events: SseEvent[] = [];
    for (;;) {
      const end = this.rest.search(/\r\n|\n|\r/);
      // A lone CR at the very end may be the first half of CRLF: wait for what follows.
      if (end < 0 || (this.rest[end] === "\r" && end === this.rest.length - 1)) return events;
      const line = this.rest.slice(0, end);
      this.rest = this.rest.slice(end + (this.rest.startsWith("\r\n", end) ? 2 : 1));
      const done = this.take(line);
      if (done) events.push(done);
    }
  }

  private take(line: string): SseEvent | null {
    if (line === "") return this.dispatch();
    if (line.startsWith(":")) return null;
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") this.lines.push(value);
    else if (field === "event") this.event = value;
    else if (field === "id") this.id = value;
    return null;
  }

  private dispatch(): SseEvent | null {
    const { event, lines } = this;
    this.event = "";
    this.lines = [];
    return lines.length === 0 ? null : { event: event || "message", data: lines.join("\n"), id: this.id };
  }
}

/**
 * Yield the events of a body until it ends; leaving the loop early cancels the request. A connection that
 * breaks, or from which nothing comes for `silenceMs` (signs of life count), is the transient error "offline".
 */
export async function* readSse(body: ReadableStream<Uint8Array>, silenceMs?: number): AsyncGenerator<SseEvent> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const parser = new SseParser();
  try {
    for (;;) {
      const { done, value } = await readWithin(reader, silenceMs);
      if (done) break;
      yield* parser.push(decoder.decode(value, { stream: true }));
    }
    yield* parser.push("\n\n");
  } finally {
    void reader.cancel().catch(() => undefined);
  }
}

async function readWithin(reader: ReadableStreamDefaultReader<Uint8Array>, silenceMs: number | undefined) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<never>((_, reject) => {
    if (silenceMs !== undefined) timer = setTimeout(() => reject(new Error("silence")), silenceMs);
  });
  try {
    return await Promise.race([reader.read(), silence]);
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new ApiError("The connection broke.", "offline", 0);
  } finally {
    clearTimeout(timer);
  }
}
