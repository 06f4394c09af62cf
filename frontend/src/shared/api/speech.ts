/** Owns turning text into audio and the voices there are. */
import { useQuery } from "@tanstack/react-query";
import { api, request } from "./client";
import type { List } from "./types";

export interface Voice {
  id: string;
  name?: string;
  language?: string;
  model?: string;
}

export interface SpeechRequest {
  input: string;
  voice?: string;
  model?: string;
  speed?: number;
  response_format?: string;
}

export function useVoices() {
  return useQuery({ queryKey: ["voices"], queryFn: async () => (await api<List<Voice>>("/v1/audio/voices")).data ?? [] });
}

export async function speak(body: SpeechRequest): Promise<Blob> {
  return (await request("/v1/audio/speech", { method: "POST", json: body })).blob();
}

/** The first voice whose language begins like `language` ("pt" finds "pt-BR"); Brazil before Portugal. */
export function voiceFor(voices: Voice[], language: string): Voice | undefined {
  const base = language.toLowerCase().split(/[-_]/)[0]!;
  const fits = voices.filter((voice) => voice.language?.toLowerCase().split(/[-_]/)[0] === base);
  return fits.find((voice) => /br/i.test(voice.language ?? "")) ?? fits[0];
}
