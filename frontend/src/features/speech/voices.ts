/** Which voices are offered and under what names. Pure. */
import type { Voice } from "@/shared/api/speech";
import { languageName } from "@/shared/format";

/** A voice's name, and with `several` models whose it is. */
export function label(voice: Voice, several: boolean): string {
  const name = voice.name ?? voice.id;
  return several && voice.model && voice.model !== name ? `${name} · ${voice.model}` : name;
}

/** Voices under their language, the reader's own language first. */
export function grouped(voices: Voice[], language: string) {
  const groups = new Map<string, { value: string; label: string }[]>();
  const several = new Set(voices.map((voice) => voice.model)).size > 1;
  for (const voice of voices) {
    const name = voice.language ? languageName(voice.language, language) : "–";
    groups.set(name, [...(groups.get(name) ?? []), { value: voice.id, label: label(voice, several) }]);
  }
  const own = language.slice(0, 2);
  const mine = new Set(voices.filter((voice) => voice.language?.startsWith(own)).map((voice) => languageName(voice.language!, language)));
  return [...groups]
    .sort(([a], [b]) => Number(mine.has(b)) - Number(mine.has(a)) || a.localeCompare(b, language))
    .map(([group, items]) => ({ group, items }));
}
