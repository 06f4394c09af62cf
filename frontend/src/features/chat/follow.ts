/** Owns reading a response's events to its end, over as many connections as that takes. */
import { isAbort, request } from "@/shared/api/client";
import { ApiError, asApiError } from "@/shared/api/errors";
import { readSse } from "@/shared/api/sse";
import { ended, grow, type Answer } from "./answer";
import type { ServerEvent } from "./wire";

/** The server gives a sign of life every 15 s. */
const SILENCE_MS = 40_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 5_000;

/** Yield the typed events of a body. An `error` event means that the telling broke, not the answer: it is transient. */
export async function* eventsOf(body: ReadableStream<Uint8Array> | null): AsyncGenerator<ServerEvent> {
  if (body === null) return;
  for await (const { data } of readSse(body, SILENCE_MS)) {
    if (!data.startsWith("{")) continue;
    const event = JSON.parse(data) as ServerEvent;
    if (event.type === "error") throw new ApiError(event.message ?? "", event.code ?? "unknown", 503, "chat");
    yield event;
  }
}

/**
 * Follow a response from where `answer` is until it has ended, and resolve with all of it. `first` is a stream that
 * is open already. A lost connection is opened again after the last event seen, for as long as it takes; what is not
 * transient (the response is gone, the session is over) rejects, and so does an abort.
 */
export async function follow(
  responseId: string, answer: Answer, first: AsyncGenerator<ServerEvent> | null,
  report: (answer: Answer, connected: boolean) => void, signal: AbortSignal,
): Promise<Answer> {
  let events = first;
  for (let failures = 0; ; failures++) {
    try {
      events ??= eventsOf((await request(pathAfter(responseId, answer.lastSeen), { signal })).body);
      if (failures > 0) report(answer, true);
      for await (const event of events) {
        failures = 0;
        answer = grow(answer, event);
        report(answer, true);
        if (ended(answer)) return answer;
      }
    } catch (error) {
      if (isAbort(error) || signal.aborted || !asApiError(error).transient) throw error;
    }
    if (ended(answer)) return answer;
    events = null;
    report(answer, false);
    await pause(Math.min(FIRST_PAUSE_MS * 2 ** failures, LONGEST_PAUSE_MS), signal);
  }
}

function pathAfter(responseId: string, lastSeen: number): string {
  return `/v1/responses/${encodeURIComponent(responseId)}?stream=true&starting_after=${lastSeen}`;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(new DOMException("aborted", "AbortError"));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}
