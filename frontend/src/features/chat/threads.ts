/**
 * Owns what happens now in each conversation: the question on its way, the answer that comes. Knows nothing of
 * React; the conversations themselves are the server's. Only the conversation that is looked at is followed: the
 * server writes on without readers, and a browser opens few connections to one host.
 */
import { api, request } from "@/shared/api/client";
import { ApiError } from "@/shared/api/errors";
import { ended, grow, NOTHING, type Answer } from "./answer";
import { eventsOf, follow } from "./follow";
import { DRAFT, type Question, type Unsent } from "./unsent";
import type { Conversation, ServerEvent } from "./wire";

export interface Thread {
  /** Not yet taken by the server, or not yet seen among its items. */
  question: Question | null;
  /** The question is on its way: its answer has no name yet. */
  sending: boolean;
  /** Why the question was not taken, or why stopping did not work. */
  error: unknown;
  answer: Answer | null;
  connected: boolean;
}

export interface Wishes {
  /** Fields of `POST /v1/responses` beside the conversation and its input. */
  body: Record<string, unknown>;
  /** Metadata of a conversation that has to be made first. */
  metadata: Record<string, string>;
}

export interface Listeners {
  made: (conversation: Conversation) => void;
  /** The server's conversation changed: look again. Resolves when that is done, false when it could not be. */
  changed: (conversationId: string) => Promise<boolean>;
  /** Whether the question is among the items that were last seen. */
  stands: (conversationId: string, question: Question) => boolean;
}

interface Reading {
  conversationId: string;
  responseId: string;
  controller: AbortController;
}

interface Stream {
  events: AsyncGenerator<ServerEvent>;
  controller: AbortController;
}

const QUIET: Thread = { question: null, sending: false, error: null, answer: null, connected: true };
/** Text that comes is painted at most so often: a long answer that is caught up with comes as hundreds of events. */
const FRAME_MS = 40;

export class Threads {
  private threads = new Map<string, Thread>();
  private listeners = new Set<() => void>();
  private stopWanted = new Set<string>();
  private watched: string | null = null;
  private reading: Reading | null = null;
  private painting: ReturnType<typeof setTimeout> | null = null;

  constructor(private readonly unsent: Unsent, private readonly on: Listeners) {
    for (const [id, question] of Object.entries(unsent.all())) {
      this.threads.set(id, { ...QUIET, question, error: new ApiError("The page was closed before it was sent.", "not_sent", 400, "chat") });
    }
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  get = (conversationId: string): Thread => this.threads.get(conversationId) ?? QUIET;

  /** Ask; DRAFT makes a conversation first. The question is remembered until the server has it. */
  async send(conversationId: string, question: Question, wishes: Wishes): Promise<void> {
    let id = conversationId;
    this.set(id, { ...QUIET, question, sending: true });
    this.unsent.put(id, question);
    try {
      if (id === DRAFT) id = await this.make(question, wishes.metadata);
      for (const itemId of question.replaces.toReversed()) await removeItem(id, itemId);
      const input = question.parts ? [{ type: "message", role: "user", content: question.parts }] : question.text;
      const json = { ...wishes.body, conversation: id, input, stream: true };
      const controller = new AbortController();
      const events = eventsOf((await request("/v1/responses", { method: "POST", json, signal: controller.signal })).body);
      const first = await events.next();
      if (first.done || !first.value.response) throw new ApiError("The answer broke off before it began.", "offline", 0, "chat");
      this.taken(id, first.value.response.id, grow(NOTHING, first.value), { events, controller });
    } catch (error) {
      this.stopWanted.delete(id);
      this.set(id, { ...this.get(id), sending: false, error });
      // Perhaps another window is asking, or only the receipt was lost: the server's word counts.
      const looked = await this.on.changed(id);
      if (looked && mayBeTaken(error) && this.get(id).question === question && this.on.stands(id, question)) this.settle(id);
    }
  }

  /** Look at a conversation, or at none; `responseId` is what the server writes in it. */
  watch(conversationId: string | null, responseId: string | null): void {
    this.watched = conversationId;
    if (this.reading && this.reading.conversationId !== conversationId) this.leave(this.reading);
    if (conversationId === null || (this.reading && this.reading.responseId === responseId)) return;
    const { sending, answer } = this.get(conversationId);
    if (sending) return; // its own stream is about to begin
    if (responseId === null) {
      // Left half-way and over since: the items have the whole of it.
      if (!this.reading && answer && !ended(answer)) this.set(conversationId, { ...this.get(conversationId), answer: null, connected: true });
      return;
    }
    const known = answer?.response?.id === responseId ? answer : NOTHING;
    if (!ended(known)) void this.read(conversationId, responseId, known, null);
  }

  /** End the answer on the server; what is written stays. */
  async stop(conversationId: string, running: string | null): Promise<void> {
    const { sending, answer } = this.get(conversationId);
    const responseId = answer?.response?.id ?? running;
    if (responseId === null) {
      if (sending) this.stopWanted.add(conversationId);
      return;
    }
    try {
      await api(`/v1/responses/${encodeURIComponent(responseId)}/cancel`, { method: "POST" });
    } catch (error) {
      this.set(conversationId, { ...this.get(conversationId), error });
    }
    if (this.reading?.responseId !== responseId) await this.on.changed(conversationId);
  }

  /** The question stands among the server's items, or the reader takes it back. */
  settle(conversationId: string): void {
    this.unsent.remove(conversationId);
    this.set(conversationId, { ...this.get(conversationId), question: null, error: null });
  }

  forget(conversationId: string): void {
    this.unsent.remove(conversationId);
    if (this.reading?.conversationId === conversationId) this.leave(this.reading);
    this.threads.delete(conversationId);
    this.paint();
  }

  private async make(question: Question, metadata: Record<string, string>): Promise<string> {
    const conversation = await api<Conversation>("/v1/conversations", { method: "POST", json: { metadata } });
    this.unsent.put(conversation.id, question);
    this.unsent.remove(DRAFT);
    this.threads.set(conversation.id, this.get(DRAFT));
    this.threads.delete(DRAFT);
    if (this.stopWanted.delete(DRAFT)) this.stopWanted.add(conversation.id);
    this.on.made(conversation);
    this.paint();
    return conversation.id;
  }

  private taken(conversationId: string, responseId: string, answer: Answer, stream: Stream): void {
    this.unsent.remove(conversationId);
    this.set(conversationId, { ...this.get(conversationId), sending: false, error: null, answer });
    if (this.stopWanted.delete(conversationId)) void this.stop(conversationId, responseId);
    if (this.watched === conversationId) {
      void this.read(conversationId, responseId, answer, stream);
    } else {
      stream.controller.abort();
      this.set(conversationId, QUIET);
    }
    void this.on.changed(conversationId);
  }

  private async read(conversationId: string, responseId: string, from: Answer, stream: Stream | null): Promise<void> {
    this.reading?.controller.abort();
    const reading = { conversationId, responseId, controller: stream?.controller ?? new AbortController() };
    this.reading = reading;
    const report = (answer: Answer, connected: boolean) => {
      if (this.reading !== reading) return;
      this.threads.set(conversationId, { ...this.get(conversationId), answer, connected });
      if (ended(answer) || !connected) this.paint();
      else this.painting ??= setTimeout(() => this.paint(), FRAME_MS);
    };
    let gone = false;
    try {
      await follow(responseId, from, stream?.events ?? null, report, reading.controller.signal);
    } catch {
      gone = true; // deleted elsewhere, or signed out: the server's items are all there is
    }
    if (this.reading !== reading) return;
    this.reading = null;
    const seen = await this.on.changed(conversationId);
    // An answer that could not be looked up again stays on screen until it can be.
    const thread = this.get(conversationId);
    if (!(seen || gone) || thread.answer?.response?.id !== responseId) return;
    // A question that was refused because of this answer is still to be asked.
    const question = thread.error === null ? null : thread.question;
    this.set(conversationId, { ...thread, question, answer: null, connected: true });
  }

  /** Stop following; the next look begins where the server is. */
  private leave(reading: Reading): void {
    this.reading = null;
    reading.controller.abort();
  }

  private set(conversationId: string, thread: Thread): void {
    this.threads.set(conversationId, thread);
    this.paint();
  }

  private paint(): void {
    if (this.painting) clearTimeout(this.painting);
    this.painting = null;
    for (const listener of this.listeners) listener();
  }
}

/** A refusal is certain: what was seen of the question meanwhile is taken back. A broken call may have arrived. */
function mayBeTaken(error: unknown): boolean {
  return !(error instanceof ApiError) || error.status === 0 || error.status >= 500;
}

async function removeItem(conversationId: string, itemId: string): Promise<void> {
  try {
    await api(`/v1/conversations/${encodeURIComponent(conversationId)}/items/${encodeURIComponent(itemId)}`, { method: "DELETE" });
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 404) throw error;
  }
}
