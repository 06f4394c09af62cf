/** Owns what a conversation looks like now: the server's items and what happens in this window, put together. Pure. */
import { ended } from "./answer";
import { messagesOf, textOf, type Message } from "./messages";
import type { Thread } from "./threads";
import type { Question } from "./unsent";
import type { Item } from "./wire";

export interface Pending {
  state: "waiting" | "queued" | "writing";
  text: string;
  connected: boolean;
}

export interface View {
  messages: Message[];
  /** A question that the server's items do not show yet. */
  question: Question | null;
  /** Why `question` was not taken; it is then neither on its way nor lost. */
  unsent: unknown;
  /** The thread's question was taken, and the items show it: it need not be remembered any more. */
  accepted: boolean;
  pending: Pending | null;
}

export function viewOf(items: Item[], thread: Thread, running: string | null): View {
  const { question, sending, error, answer } = thread;
  const left = question ? without(items, question.replaces) : items;
  const stands = question !== null && standsAmong(items, question);
  const open = stands ? null : question;
  return {
    messages: messagesOf(left),
    question: open,
    unsent: question ? error : null,
    accepted: stands && !sending && error === null,
    pending: pendingOf(left, thread, answer !== null && ended(answer) ? null : running),
  };
}

function pendingOf(items: Item[], { sending, answer, connected }: Thread, running: string | null): Pending | null {
  if (answer) {
    const there = items.some((item) => answer.itemIds.includes(item.id));
    if (there || (ended(answer) && !answer.text)) return null;
    const queued = answer.response?.status === "queued";
    return { state: answer.text ? "writing" : queued ? "queued" : "waiting", text: answer.text, connected };
  }
  return sending || running !== null ? { state: "waiting", text: "", connected } : null;
}

/** Whether the server has `question` among the items. */
export function standsAmong(items: Item[], { text, parts, replaces, after }: Question): boolean {
  const last = lastUserItem(without(items, replaces));
  return last !== undefined && last.id !== after && textOf(last.content ?? []) === (parts ? textOf(parts) : text);
}

function without(items: Item[], ids: string[]): Item[] {
  return items.filter((item) => !ids.includes(item.id));
}

export function lastUserItem(items: Item[]): Item | undefined {
  return items.findLast((item) => item.type === "message" && item.role === "user");
}
