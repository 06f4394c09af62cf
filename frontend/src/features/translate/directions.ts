/** Which language goes into which: named directions, and models that translate any of their languages into any other. Pure. */

export interface Direction {
  source: string;
  target: string;
  model?: string;
}

export interface Directions {
  data?: Direction[];
  any?: { model: string; languages: string[] }[];
}

export function sourcesOf(known: Directions): string[] {
  return unique([...(known.data ?? []).map((one) => one.source), ...(known.any ?? []).flatMap((one) => one.languages)]);
}

/** What `source` can be translated into; with none, every language that something can be translated into. */
export function targetsOf(known: Directions, source: string | null): string[] {
  const named = (known.data ?? []).filter((one) => source === null || one.source === source).map((one) => one.target);
  const free = (known.any ?? []).filter((one) => source === null || one.languages.includes(source)).flatMap((one) => one.languages);
  return unique([...named, ...free]).filter((code) => code !== source);
}

function unique(codes: string[]): string[] {
  return [...new Set(codes)];
}
