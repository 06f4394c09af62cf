/** Owns one streamed chat completion: the request body, the chunks, the speed. */
import { request } from "@/shared/api/client";
import { ApiError, type ErrorBody } from "@/shared/api/errors";
import { readSse } from "@/shared/api/sse";
import type { Message, Stats } from "./conversations";
import type { ChatSettings } from "./settings";

interface Chunk extends ErrorBody {
  model?: string;
  choices?: { delta?: { content?: string | null } }[];
  usage?: { completion_tokens?: number } | null;
  timing?: { run_ms?: number } | null;
}

export interface Completion {
  content: string;
  model?: string;
  stats: Stats;
}

/** Stream an answer; `onText` gets the whole text so far. Rejects with AbortError when stopped. */
export async function streamCompletion(
  settings: ChatSettings, history: Message[], onText: (text: string) => void, signal: AbortSignal,
): Promise<Completion> {
  const startedMs = performance.now();
  const response = await request("/v1/chat/completions", { method: "POST", json: requestBody(settings, history), signal });
  const answer: Completion = { content: "", stats: { tokens: null, tokensPerS: null, firstTokenMs: null } };
  let firstMs: number | null = null;
  let runMs: number | null = null;
  for await (const event of readSse(response.body!)) {
    if (event.data === "[DONE]") break;
    const chunk = JSON.parse(event.data) as Chunk;
    if (chunk.error) throw new ApiError(chunk.error.message ?? "", chunk.error.code ?? "unknown", 500, "chat");
    const text = chunk.choices?.[0]?.delta?.content ?? "";
    if (text) {
      firstMs ??= performance.now();
      answer.content += text;
      onText(answer.content);
    }
    answer.model = chunk.model ?? answer.model;
    answer.stats.tokens = chunk.usage?.completion_tokens ?? answer.stats.tokens;
    runMs = chunk.timing?.run_ms ?? runMs;
  }
  return { ...answer, stats: speed(answer.stats.tokens, startedMs, firstMs, runMs) };
}

function requestBody(settings: ChatSettings, history: Message[]): Record<string, unknown> {
  const system = settings.systemPrompt.trim();
  const messages = history.map(({ role, content }) => ({ role, content }));
  return {
    ...(settings.model ? { model: settings.model } : {}),
    ...(settings.persona ? { persona: settings.persona } : {}),
    ...(settings.temperature !== null ? { temperature: settings.temperature } : {}),
    ...(settings.maxTokens !== null ? { max_tokens: settings.maxTokens } : {}),
    messages: system ? [{ role: "system", content: system }, ...messages] : messages,
    stream: true,
    stream_options: { include_usage: true },
  };
}

function speed(tokens: number | null, startedMs: number, firstMs: number | null, runMs: number | null): Stats {
  if (firstMs === null) return { tokens, tokensPerS: null, firstTokenMs: null };
  const elapsedMs = runMs ?? performance.now() - startedMs;
  return { tokens, tokensPerS: tokens && elapsedMs > 0 ? tokens / (elapsedMs / 1000) : null, firstTokenMs: firstMs - startedMs };
}
