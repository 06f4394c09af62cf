/** Owns starting ONNX Runtime from this origin's own files: which build, how many threads, and its place in the cache. */
import { env } from "@huggingface/transformers";
import plainModule from "onnxruntime-web/ort-wasm-simd-threaded.mjs?url";
import plainBinary from "onnxruntime-web/ort-wasm-simd-threaded.wasm?url";
import gpuModule from "onnxruntime-web/ort-wasm-simd-threaded.asyncify.mjs?url";
import gpuBinary from "onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm?url";
import { keep, RUNTIME_CACHE, shelfOf, type Shelf } from "./keeping";
import { gpuOf } from "./variants";
import type { FileProgress, Place } from "./wire";

const MOST_THREADS = 4;
let started: Promise<Place> | null = null;

/** Start once. The build for graphics processors is twice as large and taken only where there is one. */
export function startRuntime(tell: (file: FileProgress) => void): Promise<Place> {
  started ??= start(tell).catch((error: unknown) => { started = null; throw error; });
  return started;
}

/** Files come from the shelf that is set here, and from nowhere else: the library itself asks the network for nothing. */
export function readFrom(shelf: Shelf, base: string): void {
  env.localModelPath = base;
  env.useCustomCache = true;
  env.customCache = { match: (address: string) => shelf.match(address), put: async () => {} } as typeof env.customCache;
}

async function start(tell: (file: FileProgress) => void): Promise<Place> {
  const gpu = (await gpuOf()) !== "none";
  const [module, binary] = gpu ? [gpuModule, gpuBinary] : [plainModule, plainBinary];
  const threads = self.crossOriginIsolated ? Math.max(1, Math.min(MOST_THREADS, navigator.hardwareConcurrency)) : 1;
  env.allowRemoteModels = false;
  env.allowLocalModels = true;
  env.useBrowserCache = false;
  // The library would import the module from a blob: URL, which the page's content security policy forbids.
  env.useWasmCache = false;
  env.fetch = async () => new Response(null, { status: 404 });
  const onnx = env.backends.onnx as { wasm: Record<string, unknown> };
  const shelf = await shelfOf(RUNTIME_CACHE);
  const answer = await keep(shelf, binary, { name: "ONNX Runtime", size: 0 }, tell);
  Object.assign(onnx.wasm, { wasmPaths: { mjs: module, wasm: binary }, wasmBinary: await answer.arrayBuffer(), numThreads: threads, proxy: false });
  return { device: gpu ? "webgpu" : "wasm", threads };
}
