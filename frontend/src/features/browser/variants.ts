/** Owns which of a model's files this browser needs: by its precision and by whether there is a graphics processor. */
import type { BrowserModel, ModelFile } from "./wire";

/** What the browser's graphics processor can: nothing, numbers of 32 bits, or of 16 bits too. */
export type Gpu = "none" | "f32" | "f16";

/** The ending of a graph's file name, and the library's name for it; the first that is there is taken. */
const PROCESSOR = [["_quantized", "q8"], ["_int8", "int8"], ["_uint8", "uint8"], ["_q4", "q4"]] as const;
const GRAPHICS = {
  none: [],
  f32: [["_q4", "q4"]],
  f16: [["_q4f16", "q4f16"], ["_fp16", "fp16"], ["_q4", "q4"]],
} as const satisfies Record<Gpu, readonly (readonly [string, string])[]>;
const GRAPH = /^onnx\/(.+?)(_quantized|_int8|_uint8|_q4f16|_q4|_fp16)\.onnx$/;

const endingOf = ({ name }: ModelFile) => GRAPH.exec(name)?.[2] ?? null;
const isSettings = ({ name }: ModelFile) => /^[\w-]+\.(json|jinja)$/.test(name);

/** The model with only the files to fetch here, and where they run. */
export function fitted(model: BrowserModel, gpu: Gpu): BrowserModel {
  const there = new Set(model.files.map(endingOf));
  const forGpu = GRAPHICS[gpu].find(([ending]) => there.has(ending));
  const chosen = forGpu ?? PROCESSOR.find(([ending]) => there.has(ending));
  const files = model.files.filter((file) => isSettings(file) || endingOf(file) === chosen?.[0]);
  return { ...model, files, device: forGpu ? "webgpu" : "wasm", dtype: chosen?.[1] ?? "q8" };
}

/** Whether a graphics processor of that kind would be used. */
export const hasGraphics = (model: BrowserModel, gpu: Gpu) => fitted(model, gpu).device === "webgpu";

interface Adapter { features: { has: (name: string) => boolean } }

/** Ask the browser; in the page and in the worker alike. */
export async function gpuOf(from: Navigator = navigator): Promise<Gpu> {
  const { gpu } = from as unknown as { gpu?: { requestAdapter: () => Promise<Adapter | null> } };
  const adapter = await gpu?.requestAdapter().catch(() => null);
  if (!adapter) return "none";
  return adapter.features.has("shader-f16") ? "f16" : "f32";
}
