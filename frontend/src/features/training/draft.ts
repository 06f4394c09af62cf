/** Owns a training that is being put together. */
import type { Model } from "@/shared/api/types";
import { modelsFor } from "@/shared/api/models";

export interface Draft {
  text: string;
  /** Examples that are too long to be shown for editing. */
  file: { name: string; text: string } | null;
  model: string | null;
  suffix: string;
  epochs: number | null;
  batch: number | null;
  rate: number | null;
}

export const EMPTY: Draft = { text: "", file: null, model: null, suffix: "", epochs: null, batch: null, rate: null };
export const MOST_EDITED_CHARS = 200_000;
const SUFFIX = /^[A-Za-z0-9._-]{0,64}$/;
const TRAINED = "ft:";

export function suffixIsFine(suffix: string): boolean {
  return SUFFIX.test(suffix);
}

/** Chat models whose file is here and that no training made; whether their kind can be trained the server tells. */
export function basesOf(models: Model[] | undefined): Model[] {
  return modelsFor(models, "chat").filter(({ id, owned_by }) => !id.startsWith(TRAINED) && (owned_by ?? "oficina") === "oficina");
}
