/** Owns turning text into audio and the voices there are. */
import { request } from "./client";
import { useList, type Listing } from "./lists";

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

/** Asked for again while there is none: a service without a voice does not run. */
export function useVoices(): Listing<Voice> {
  return useList<Voice>("voices", "/v1/audio/voices", { until: (all) => all.length > 0 });
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
