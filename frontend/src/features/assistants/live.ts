/** Owns a run while its events come in: the run, the text written so far. Pure; knows no network. */
import type { SseEvent } from "@/shared/api/sse";
import { isActive, type ContentPart, type Run } from "./wire";

export interface Live {
  run: Run | null;
  /** Messages in the making by id: their text so far. */
  texts: ReadonlyMap<string, string>;
  /** Grows with every step or message that began or ended: lists are to be read again. */
  changes: number;
  failure: string | null;
}

export const NOTHING: Live = { run: null, texts: new Map(), changes: 0, failure: null };

interface MessageDelta {
  id: string;
  delta: { content?: (Partial<ContentPart> & { text?: { value?: string } })[] };
}

/** Return what is known after one more event; events of other kinds change nothing. */
export function grow(live: Live, event: SseEvent): Live {
  if (!event.data.startsWith("{")) return live;
  const body = JSON.parse(event.data) as unknown;
  if (event.event === "error") {
    const error = body as { message?: string; error?: { message?: string } };
    return { ...live, failure: error.error?.message ?? error.message ?? "" };
  }
  if (event.event === "thread.message.delta") return { ...live, texts: withDelta(live.texts, body as MessageDelta) };
  if (event.event.startsWith("thread.run.step.")) {
    return event.event.endsWith(".delta") ? live : { ...live, changes: live.changes + 1 };
  }
  if (event.event.startsWith("thread.run.")) return { ...live, run: body as Run, changes: live.changes + 1 };
  if (event.event === "thread.message.completed") return { ...live, changes: live.changes + 1 };
  return live;
}

/** Whether nothing more will come by itself: the run is over, or waits for the reader. */
export function settled(live: Live): boolean {
  return live.run !== null && (!isActive(live.run) || live.run.status === "requires_action");
}

function withDelta(texts: ReadonlyMap<string, string>, { id, delta }: MessageDelta): ReadonlyMap<string, string> {
  const added = (delta.content ?? []).map((part) => part.text?.value ?? "").join("");
  return new Map(texts).set(id, (texts.get(id) ?? "") + added);
}
