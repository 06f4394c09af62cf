/** Which voices are offered and under what names. Pure. */
import type { Voice } from "@/shared/api/speech";
import { languageName } from "@/shared/format";

/** Codes of eSpeak NG that are no region of the language ("ca-va" is Valencian, not the Vatican's). */
const NO_REGION = /-x-|^ca-va$/;

/** Timbres of eSpeak NG: "f2" is its second female one. */
const TIMBRE = /^([fm])(\d+)$/;
type Words = (key: string, values: { number: string }) => string;

/** A voice's own name; one that is called after its language ("pt-br", "pt-br+f2") is called so in the reader's. */
export function voiceName(voice: Voice, language: string, t: Words): string {
  const name = voice.name ?? voice.id;
  const [spoken = "", variant] = voice.id.split("+");
  if (spoken !== voice.language || NO_REGION.test(spoken)) return name;
  const told = languageName(spoken, language);
  if (told.toLowerCase() === spoken.toLowerCase()) return name;
  if (!variant) return told;
  const [, sex, number] = TIMBRE.exec(variant) ?? [];
  return `${told}, ${sex && number ? t(`speech.timbre.${sex}`, { number }) : name.split(", ").at(-1)}`;
}

/** A voice's name, and with `several` models whose it is. */
export function label(voice: Voice, several: boolean, language: string, t: Words): string {
  const name = voiceName(voice, language, t);
  return several && voice.model && voice.model !== name ? `${name} · ${voice.model}` : name;
}

/** Voices under their language, the reader's own language first. */
export function grouped(voices: Voice[], language: string, t: Words) {
  const groups = new Map<string, { value: string; label: string }[]>();
  const several = new Set(voices.map((voice) => voice.model)).size > 1;
  for (const voice of voices) {
    const name = voice.language ? languageName(voice.language, language) : "–";
    groups.set(name, [...(groups.get(name) ?? []), { value: voice.id, label: label(voice, several, language, t) }]);
  }
  const own = language.slice(0, 2);
  const mine = new Set(voices.filter((voice) => voice.language?.startsWith(own)).map((voice) => languageName(voice.language!, language)));
  return [...groups]
    .sort(([a], [b]) => Number(mine.has(b)) - Number(mine.has(a)) || a.localeCompare(b, language))
    .map(([group, items]) => ({ group, items }));
}
