/** Owns which models there are for this browser, and what of them it keeps. */
import { useQuery } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import builtin from "./builtin.json";
import { engine, type Loaded } from "./engine";
import { cacheName, RUNTIME_CACHE } from "./keeping";
import type { BrowserModel, Task } from "./wire";

export const BUILTIN = builtin as BrowserModel[];

export function useBrowserModels(task: Task): BrowserModel[] {
  return BUILTIN.filter((model) => model.task === task);
}

export function useLoaded(task: Task): Loaded {
  return useSyncExternalStore(engine.subscribe, () => engine.loaded(task));
}

export const bytesOf = (model: BrowserModel) => model.files.reduce((sum, file) => sum + file.size, 0);

/** Whether every file of a model is in the browser's cache; null where there is no cache, or before it is known. */
export function useKept(model: BrowserModel, turn: unknown): boolean | null {
  const query = useQuery({
    queryKey: ["browser-kept", model.id, model.version, turn],
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
