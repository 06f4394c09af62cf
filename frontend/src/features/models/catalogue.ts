/** Owns joining what runs and what could run into one list. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api } from "@/shared/api/client";
import { taskOf, tasksOf } from "@/shared/api/models";
import { useList, type Listing } from "@/shared/api/lists";
import type { Model } from "@/shared/api/types";
import { formatBytes } from "@/shared/format";
import type { TFunction } from "i18next";

/** What a model needs more of than this machine can give. */
export interface Lack {
  of: "memory" | "disk";
  needed_bytes: number;
  there_bytes: number;
}

/** Why no engine of a service runs a model: what the model is or holds, and what would run in its place. */
export interface Obstacle {
  of: string;
  found?: string | null;
  runs?: string[];
}

export interface Entry extends Model {
  installed: boolean;
  fits?: boolean | null;
  lack?: Lack | null;
  /** Whether an engine of its service runs it; the service says why not in `why_not`. */
  runnable?: boolean | null;
  why_not?: string | null;
  obstacle?: Obstacle | null;
  noncommercial?: boolean;
  memory_bytes?: number | null;
  parameters?: number | string | null;
  repo?: string | null;
  quantization?: string | null;
  publisher?: string | null;
  published?: string | null;
  /** One sentence by language. */
  description?: Record<string, string> | null;
  good_for?: Record<string, string> | null;
}

/** What is missing, in the reader's language. */
export function lackText({ of, needed_bytes, there_bytes }: Lack, t: TFunction, language: string): string {
  return t(`models.lack.${of}`, { needed: formatBytes(needed_bytes, language), there: formatBytes(there_bytes, language) });
}

/** Why an entry does not run, in the reader's language; the service's own words for a reason that is not known here. */
export function obstacleText({ obstacle, why_not }: Pick<Entry, "obstacle" | "why_not">, t: TFunction, exists: (key: string) => boolean, language: string): string {
  const key = `models.obstacle.${obstacle?.of}`;
  if (!obstacle || !exists(key)) return why_not ?? "";
  const runs = new Intl.ListFormat(language, { type: "disjunction" }).format(obstacle.runs ?? []);
  return t(key, { found: obstacle.found ?? "?", runs });
}

/** Asked for again while there is nothing: services that start, or are slow, have nothing to tell yet. */
export function useCatalogue(): Listing<Entry> {
  return useList<Entry>("catalogue", "/v1/catalogue", { until: (all) => all.length > 0 });
}

/** Installed models first; a model known from both lists is one entry. */
export function joined(models: Model[], catalogue: Entry[]): Entry[] {
  const real = models.filter((model) => !model.alias_of);
  const keyOf = (model: Model) => `${model.service ?? ""}/${model.id}`;
  const known = new Map(catalogue.map((entry) => [keyOf(entry), entry]));
  const installed = real.map((model) => ({ ...known.get(keyOf(model)), ...model, installed: true }));
  const taken = new Set(installed.map(keyOf));
  // Models that the page runs itself are offered in its tab "In the browser".
  const offered = catalogue.filter((entry) => !taken.has(keyOf(entry)) && !entry.task?.startsWith("browser-"));
  return [...installed, ...offered].sort((a, b) => Number(b.installed) - Number(a.installed));
}

export interface Filters {
  text: string;
  task: string | null;
  language: string | null;
  license: string | null;
  quantization: string | null;
  publisher: string | null;
  commercial: boolean;
  /** Only what this machine has the memory and the disk for, and an engine to run. */
  fits: boolean;
}

export const ALL: Filters = { text: "", task: null, language: null, license: null, quantization: null, publisher: null, commercial: false, fits: false };

/** Why an entry that is not installed cannot be: null when it can. */
export function hindrance(entry: Entry): "runs" | "fits" | null {
  if (entry.runnable === false) return "runs";
  return entry.fits === false ? "fits" : null;
}

/** Whether a model knows the small world of shapes only: those that were trained for the project; voice and embedder were not. */
export function isSmallWorld(entry: Entry): boolean {
  return entry.builtin === true && !["speech", "embedding"].includes(taskOf(entry));
}

/** `pt` and `pt-BR` are one language to somebody who looks for a model. */
const plain = (language: string) => language.replace(/-.*/, "").toLowerCase();

export function passes(entry: Entry, wanted: Filters): boolean {
  if (wanted.task && !tasksOf(entry).includes(wanted.task)) return false;
  if (wanted.language && !entry.languages?.some((one) => plain(one) === wanted.language)) return false;
  for (const name of ["license", "quantization", "publisher"] as const) if (wanted[name] && entry[name] !== wanted[name]) return false;
  if (wanted.commercial && entry.noncommercial) return false;
  if (wanted.fits && !entry.installed && hindrance(entry) !== null) return false;
  const said = [entry.id, entry.repo, entry.publisher, entry.license, ...Object.values(entry.good_for ?? {})].join(" ").toLowerCase();
  return wanted.text.trim().toLowerCase().split(/\s+/).every((word) => said.includes(word));
}

/** What there is to choose from: each value that some entry has, once. */
export function choices(entries: Entry[], name: "task" | "language" | "license" | "quantization" | "publisher"): string[] {
  const of = (entry: Entry) => {
    if (name === "task") return tasksOf(entry);
    if (name === "language") return (entry.languages ?? []).map(plain);
    return [entry[name]];
  };
  return [...new Set(entries.flatMap(of).filter((value): value is string => Boolean(value)))].sort();
}

export function useModelActions() {
  const queries = useQueryClient();
  const onSettled = async () => {
    await queries.invalidateQueries({ queryKey: ["models"] });
    await queries.invalidateQueries({ queryKey: ["catalogue"] });
    await queries.invalidateQueries({ queryKey: ["jobs"] });
  };
  // Ids may hold slashes and colons ("org/name", "llama3.2:latest"), which stand for themselves in the path.
  const path = (id: string, what: string) => `/v1/models/${encodeURI(id).replace(/[?#]/g, encodeURIComponent)}/${what}`;
  const load = useMutation({ mutationFn: (id: string) => api(path(id, "load"), { method: "POST" }), onSettled });
  const unload = useMutation({ mutationFn: (id: string) => api(path(id, "unload"), { method: "POST" }), onSettled });
  const install = useMutation({ mutationFn: (id: string) => api("/v1/models/install", { method: "POST", json: { id } }), onSettled });
  const remove = useMutation({ mutationFn: (id: string) => api(path(id, "").slice(0, -1), { method: "DELETE" }), onSettled });
  return { load, unload, install, remove };
}
