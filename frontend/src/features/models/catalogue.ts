/** Owns joining what runs and what could run into one list. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api } from "@/shared/api/client";
import { taskOf } from "@/shared/api/models";
import type { List, Model } from "@/shared/api/types";

export interface Entry extends Model {
  installed: boolean;
  fits?: boolean | null;
  why_not?: string | null;
  noncommercial?: boolean;
  memory_bytes?: number | null;
  parameters?: number | string | null;
  /** One sentence by language. */
  description?: Record<string, string> | null;
  good_for?: Record<string, string> | null;
}

export function useCatalogue() {
  return useQuery({ queryKey: ["catalogue"], queryFn: async () => (await api<List<Entry>>("/v1/catalogue")).data ?? [] });
}

/** Installed models first; a model known from both lists is one entry. */
export function joined(models: Model[], catalogue: Entry[]): Entry[] {
  const real = models.filter((model) => !model.alias_of);
  const keyOf = (model: Model) => `${model.service ?? ""}/${model.id}`;
  const known = new Map(catalogue.map((entry) => [keyOf(entry), entry]));
  const installed = real.map((model) => ({ ...known.get(keyOf(model)), ...model, installed: true }));
  const taken = new Set(installed.map(keyOf));
  return [...installed, ...catalogue.filter((entry) => !taken.has(keyOf(entry)))].sort((a, b) => Number(b.installed) - Number(a.installed));
}

export function tasksOf(entries: Entry[]): string[] {
  return [...new Set(entries.map(taskOf))].sort();
}

export function licensesOf(entries: Entry[]): string[] {
  return [...new Set(entries.flatMap((entry) => (entry.license ? [entry.license] : [])))].sort();
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
