/** Owns what the form offers for a model: its own numbers, and what it heeds. */
import type { Model, ModelOption } from "@/shared/api/types";
import type { Drawing, Way } from "./orders";

export interface Range {
  minimum: number;
  maximum: number;
  /** What the model takes when nothing is chosen; null: the service does not tell. */
  usual: number | null;
  /** From where to where it draws well; null: everywhere, or nobody tells. */
  good: [number, number] | null;
}

export interface Offered {
  steps: Range;
  guidance: Range;
  size: string | null;
  /** no: the model takes none; unheeded: it takes one, but not with this guidance. */
  negative: "yes" | "unheeded" | "no";
  /** What can make the finished picture, where there is a choice; the service's own first. */
  decoders: string[];
}

/** Without a text nothing is to be kept to, so the service varies without guidance unless some is chosen. */
const GUIDANCE_OF_VARIATIONS = 1;

export function offered(model: Model | undefined, guidance: number | null, way: Way = "draw"): Offered {
  const options = model?.options ?? {};
  const own = way === "vary" ? GUIDANCE_OF_VARIATIONS : numberOf(options.guidance_scale?.default);
  // A service that tells nothing of a model is asked as before.
  const known = "steps" in options;
  const chosen = guidance ?? own;
  const above = options.negative_prompt?.needs_guidance_above;
  const unheeded = above !== undefined && chosen !== null && chosen <= above;
  const size = options.size?.default;
  return {
    steps: range(options.steps, 1, 100),
    guidance: { ...range(options.guidance_scale, 0, 30), usual: own },
    size: typeof size === "string" ? size : null,
    negative: known && !options.negative_prompt ? "no" : unheeded ? "unheeded" : "yes",
    // A picture that begins from another is always finished by the model's own.
    decoders: way === "draw" ? decodersOf(options.decoder) : [],
  };
}

/** Another model is asked in its own way: numbers that were chosen for the last one do not stay. */
export function withModel(drawing: Drawing, model: string | null): Drawing {
  return drawing.model === model ? drawing : { ...drawing, model, steps: null, guidance: null, decoder: null };
}

function decodersOf(option: ModelOption | undefined): string[] {
  const usual = option?.default;
  return [...(option?.choices ?? [])].sort((a, b) => Number(b === usual) - Number(a === usual));
}

function range(option: ModelOption | undefined, minimum: number, maximum: number): Range {
  return {
    minimum: option?.minimum ?? minimum,
    maximum: option?.maximum ?? maximum,
    usual: numberOf(option?.default),
    good: option?.usual ?? null,
  };
}

function numberOf(value: number | string | undefined): number | null {
  return typeof value === "number" ? value : null;
}
