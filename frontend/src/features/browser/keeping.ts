/**
 * Owns bringing a model's files into the browser's cache: each is fetched once, with its progress, and read from there
 * ever after. Knows nothing about models. Runs in the worker.
 */
import type { BrowserModel, FileProgress, ModelFile } from "./wire";

/** Something went wrong that the reader can be told of; `code` has a sentence in the dictionary. */
export class KeepingError extends Error {
  constructor(readonly code: string, message: string) {
    super(message);
  }
}

/** What is needed of the Cache API; a page that is not on a secure address has none. */
export interface Shelf {
  match: (address: string) => Promise<Response | undefined>;
  put: (address: string, answer: Response) => Promise<void>;
}

export const cacheName = (model: Pick<BrowserModel, "id" | "version">) => `oficina-model ${model.id} ${model.version}`;
export const RUNTIME_CACHE = "oficina-runtime";

/** The cache of that name; where there is none, one that lasts as long as the page. */
export async function shelfOf(name: string): Promise<Shelf> {
  if (typeof caches === "undefined") return inMemory();
  try {
    return await caches.open(name);
  } catch {
    return inMemory(); // forbidden, as in some private windows
  }
}

function inMemory(): Shelf {
  const kept = new Map<string, Response>();
  return {
    match: async (address) => kept.get(address)?.clone(),
    put: async (address, answer) => void kept.set(address, answer),
  };
}

/** Forget other versions of this model, which nothing will ask for again. */
export async function forgetOthers(model: Pick<BrowserModel, "id" | "version">): Promise<void> {
  if (typeof caches === "undefined") return;
  const old = (await caches.keys()).filter((name) => name.startsWith(`oficina-model ${model.id} `) && name !== cacheName(model));
  await Promise.all(old.map((name) => caches.delete(name)));
}

/** Bring the files at `base` onto the shelf, one after another. Rejects with KeepingError. */
export async function keepAll(
  shelf: Shelf, base: string, files: ModelFile[], tell: (file: FileProgress) => void, signal?: AbortSignal,
): Promise<void> {
  for (const file of files) tell({ name: file.name, loaded: 0, total: file.size, state: "waiting" });
  for (const file of files) await keep(shelf, base + file.name, file, tell, signal);
}

export async function keep(
  shelf: Shelf, address: string, file: ModelFile, tell: (file: FileProgress) => void, signal?: AbortSignal,
): Promise<Response> {
  const there = await shelf.match(address);
  if (there) {
    tell({ name: file.name, loaded: file.size, total: file.size, state: "kept", cached: true });
    return there;
  }
  const answer = await fetched(address, file.name, signal);
  const content = await whole(answer, file, tell, signal);
  const headers = { "content-type": answer.headers.get("content-type") ?? "application/octet-stream", "content-length": String(content.size) };
  const kept = new Response(content, { headers });
  try {
    await shelf.put(address, kept.clone());
  } catch (error) {
    if (!(error instanceof DOMException && error.name === "QuotaExceededError")) throw error;
    throw new KeepingError("browser_no_space", `There is no room in this browser's storage for ${file.name} (${content.size} bytes).`);
  }
  tell({ name: file.name, loaded: content.size, total: content.size, state: "kept" });
  return kept;
}

async function fetched(address: string, name: string, signal?: AbortSignal): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(address, { credentials: "same-origin", signal });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new KeepingError("offline", `${name} could not be fetched.`);
  }
  if (answer.status === 401) throw new KeepingError("unauthorized", "The session is over.");
  if (!answer.ok) throw new KeepingError("browser_file_missing", `${name}: HTTP ${answer.status}`);
  return answer;
}

/** Read the body with its progress; a body that ends early or is of another length is refused. */
async function whole(answer: Response, file: ModelFile, tell: (file: FileProgress) => void, signal?: AbortSignal): Promise<Blob> {
  const total = file.size || Number(answer.headers.get("content-length") ?? 0);
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let loaded = 0;
  const reader = answer.body!.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      parts.push(value);
      loaded += value.length;
      tell({ name: file.name, loaded, total: Math.max(total, loaded), state: "fetching" });
    }
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new KeepingError("offline", `${file.name} broke off after ${loaded} bytes.`);
  }
  if (file.size && loaded !== file.size) {
    throw new KeepingError("browser_file_wrong", `${file.name} has ${loaded} bytes where ${file.size} were promised.`);
  }
  return new Blob(parts);
}
