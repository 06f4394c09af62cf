/** Owns how an answer grows from the events of a response. Pure: knows neither connections nor the page. */
import { ApiError } from "@/shared/api/errors";
import type { ResponseBody, ServerEvent } from "./wire";

export interface Answer {
  response: ResponseBody | null;
  text: string;
  /** The items that it becomes in its conversation. */
  itemIds: string[];
  /** Number of the last event; -1 before the first. */
  lastSeen: number;
}

export const NOTHING: Answer = { response: null, text: "", itemIds: [], lastSeen: -1 };

/** Take one event. One that was seen already, as after a reconnection, changes nothing. */
export function grow(answer: Answer, event: ServerEvent): Answer {
  if (event.sequence_number <= answer.lastSeen) return answer;
  const next = { ...answer, lastSeen: event.sequence_number };
  if (event.response) next.response = event.response;
  if (event.type === "response.output_item.added" && event.item) next.itemIds = [...answer.itemIds, event.item.id];
  if (event.type === "response.output_text.delta") next.text += event.delta ?? "";
  return next;
}

export function ended({ response }: Answer): boolean {
  return response !== null && response.status !== "queued" && response.status !== "in_progress";
}

export interface Stats {
  tokens: number | null;
  tokensPerS: number | null;
  queueS: number | null;
}

export function statsOf({ usage, timing }: ResponseBody): Stats {
  const tokens = usage?.output_tokens ?? null;
  const runS = (timing?.run_ms ?? 0) / 1000;
  return { tokens, tokensPerS: tokens && runS > 0 ? tokens / runS : null, queueS: timing?.queue_ms ? timing.queue_ms / 1000 : null };
}

/** Why a response failed; null when it did not. Never transient: an answer is written anew only when the reader wants it. */
export function failureOf(response: ResponseBody | null | undefined): ApiError | null {
  if (response?.status !== "failed") return null;
  const { type, code, message } = response.error ?? {};
  return new ApiError(message ?? "", type ?? code ?? "unknown", 500, "chat");
}
