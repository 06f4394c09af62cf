/** Owns what the reader asks for and the request that it becomes: a new picture, a change of one, or pictures like it. */
import type { RequestOptions } from "@/shared/api/client";
import { maskBlob, type Mask, type Size } from "./mask";

export type Way = "draw" | "edit" | "vary";

export interface Drawing {
  prompt: string;
  negativePrompt: string;
  size: string;
  steps: number | null;
  guidance: number | null;
  seed: number | null;
  model: string | null;
  /** What makes the finished picture; null: what the service is told to. */
  decoder: string | null;
}

/** What is asked of a picture that is there, beside what is asked of any drawing. */
export interface Redrawing {
  source: File | null;
  /** The picture's own size; null: not read yet, or not readable. */
  size: Size | null;
  mask: Mask;
  /** The share of the steps that are drawn anew, 0.05 to 1; null: what is usual for the way. */
  strength: number | null;
  /** How many pictures; null: one. */
  count: number | null;
}

export interface Order extends Pick<RequestOptions, "json" | "form"> {
  path: string;
  /** What the picture is called while it is drawn. */
  prompt: string;
}

/** What the forms say at the moment of sending: what failed is tried again as it was. */
export interface Asked {
  way: Way;
  drawing: Drawing;
  redrawing: Redrawing;
}

export async function orderOf({ way, drawing, redrawing }: Asked): Promise<Order> {
  return way === "draw" ? drawOrder(drawing) : redrawOrder(way, drawing, redrawing);
}

/** What a strength is where none is chosen, as the service has it. */
export function usualStrength(way: Way, masked: boolean): number {
  if (way === "vary") return 0.5;
  return masked ? 1 : 0.8;
}

export function drawOrder(drawing: Drawing): Order {
  return { path: "/v1/images/generations", json: { prompt: drawing.prompt.trim(), ...fields(drawing) }, prompt: drawing.prompt.trim() };
}

/** The form of a change or a variation; `source` must be there. Paints the mask, if there is one. */
export async function redrawOrder(way: Exclude<Way, "draw">, drawing: Drawing, { source, size, mask, strength, count }: Redrawing): Promise<Order> {
  const prompt = drawing.prompt.trim();
  const form = new FormData();
  form.append("image", source!, source!.name || "picture.png");
  const painted = way === "edit" && size ? await maskBlob(mask, size) : null;
  if (painted) form.append("mask", painted, "mask.png");
  const asked = { ...(prompt ? { prompt } : {}), n: count ?? 1, ...(strength !== null ? { strength } : {}), ...fields({ ...drawing, decoder: null }) };
  for (const [name, value] of Object.entries(asked)) form.append(name, String(value));
  return { path: way === "edit" ? "/v1/images/edits" : "/v1/images/variations", form, prompt };
}

function fields(drawing: Drawing): Record<string, string | number> {
  return {
    response_format: "url",
    // "auto" is the model's own size, or that of the picture it begins from, which the server knows.
    ...(drawing.size !== "auto" ? { size: drawing.size } : {}),
    ...(drawing.model ? { model: drawing.model } : {}),
    ...(drawing.negativePrompt.trim() ? { negative_prompt: drawing.negativePrompt.trim() } : {}),
    ...(drawing.steps !== null ? { steps: drawing.steps } : {}),
    ...(drawing.guidance !== null ? { guidance_scale: drawing.guidance } : {}),
    ...(drawing.seed !== null ? { seed: drawing.seed } : {}),
    ...(drawing.decoder !== null ? { decoder: drawing.decoder } : {}),
  };
}
