/** Owns asking one question to one model, its answer as it is written. */
import { request } from "@/shared/api/client";
import { ApiError } from "@/shared/api/errors";
import { readSse } from "@/shared/api/sse";

const SILENCE_MS = 60_000;
const MOST_TOKENS = 300;

interface Chunk {
  choices?: { delta?: { content?: string | null } }[];
  error?: { message?: string; code?: string };
}

/** Nothing is drawn by lot: two models differ by what they learned and not by chance. */
export async function* answerOf(model: string, question: string, signal: AbortSignal): AsyncGenerator<string> {
  const json = { model, messages: [{ role: "user", content: question }], temperature: 0, max_completion_tokens: MOST_TOKENS, stream: true };
  const response = await request("/v1/chat/completions", { method: "POST", json, signal });
  for await (const { data } of readSse(response.body!, SILENCE_MS)) {
    if (!data.startsWith("{")) continue;
    const { choices, error } = JSON.parse(data) as Chunk;
    if (error) throw new ApiError(error.message ?? "", error.code ?? "generation_failed", 500, "chat");
    const text = choices?.[0]?.delta?.content;
    if (text) yield text;
  }
}
