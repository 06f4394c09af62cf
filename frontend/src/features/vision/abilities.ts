/** Owns what the installed models can do with a picture beyond what the built-in ones do. */
import type { Model } from "@/shared/api/types";

export interface Abilities {
  question: boolean;
  ocr: boolean;
}

/** Tells which of the extra calls some installed model answers; a service of an older version names one task only. */
export function abilitiesOf(models: Model[] | undefined): Abilities {
  const tasks = new Set((models ?? []).flatMap((model) => model.tasks ?? [model.task]));
  return { question: tasks.has("question"), ocr: tasks.has("ocr") };
}
