/** Owns which models there are for this browser, and what of them it keeps. */
import { useQuery } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import { api } from "@/shared/api/client";
import type { List } from "@/shared/api/types";
import builtin from "./builtin.json";
import { engine, type Loaded } from "./engine";
import { cacheName, RUNTIME_CACHE } from "./keeping";
import { gpuOf, type Gpu } from "./variants";
import type { BrowserModel, Task } from "./wire";

export const BUILTIN = builtin as BrowserModel[];

/** A public model as the service that keeps it for the page tells of it. */
export interface PublicModel extends Omit<BrowserModel, "version" | "base"> {
  installed: boolean;
  size_bytes: number | null;
  good_for: Record<string, string>;
  version: string | null;
  base: string | null;
}

const SERVICES: Record<Task, "vision" | "chat"> = { caption: "vision", text: "chat" };

/** The built-in model first, then the installed ones; beside them those that an owner could install. */
export function useBrowserModels(task: Task): { models: BrowserModel[]; offered: PublicModel[]; service: string } {
  const service = SERVICES[task];
  const query = useQuery({
    queryKey: ["browser-models", service],
    queryFn: async () => (await api<List<PublicModel>>(`/v1/${service}/browser-models`)).data,
    retry: false, // without the service the built-in model still runs
  });
  const known = (query.data ?? []).filter((model) => model.task === task);
  const installed = known.filter((model): model is PublicModel & BrowserModel => model.installed);
  return { models: [...BUILTIN.filter((model) => model.task === task), ...installed], offered: known.filter((model) => !model.installed), service };
}

export function useGpu(): Gpu {
  return useQuery({ queryKey: ["browser-gpu"], queryFn: () => gpuOf(), networkMode: "always", staleTime: Infinity }).data ?? "none";
}

export function useLoaded(task: Task): Loaded {
  return useSyncExternalStore(engine.subscribe, () => engine.loaded(task));
}

export const bytesOf = (model: BrowserModel) => model.files.reduce((sum, file) => sum + file.size, 0);

/** Whether every file of a model is in the browser's cache; null where there is no cache, or before it is known. */
export function useKept(model: BrowserModel, turn: unknown): boolean | null {
  const query = useQuery({
    queryKey: ["browser-kept", model.id, model.version, model.dtype, turn],
    networkMode: "always",
    queryFn: async () => {
      if (typeof caches === "undefined" || !(await caches.has(cacheName(model)))) return false;
      const cache = await caches.open(cacheName(model));
      const there = await Promise.all(model.files.map((file) => cache.match(model.base + file.name)));
      return there.every(Boolean);
    },
  });
  return query.data ?? null;
}

/** Remove a model's files from the browser's cache, and the runtime's once no model is left. */
export async function forget(model: BrowserModel): Promise<void> {
  await caches.delete(cacheName(model));
  const left = (await caches.keys()).some((name) => name.startsWith("oficina-model "));
  if (!left) await caches.delete(RUNTIME_CACHE);
}
