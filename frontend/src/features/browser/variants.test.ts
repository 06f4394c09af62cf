import { expect, it } from "vitest";
import { BUILTIN } from "./models";
import { fitted, gpuOf, hasGraphics } from "./variants";
import type { BrowserModel } from "./wire";

const model = (...names: string[]): BrowserModel => ({ id: "m", task: "text", version: "1", base: "/m/", files: names.map((name) => ({ name, size: 1 })) });
const names = (one: BrowserModel) => one.files.map(({ name }) => name);
const SMOL = model("README.md", "config.json", "tokenizer.json", "onnx/model_q4.onnx", "onnx/model_q4f16.onnx");

it("takes the graph for the processor where there is no other", () => {
  const here = fitted(SMOL, "none");
  expect(names(here)).toEqual(["config.json", "tokenizer.json", "onnx/model_q4.onnx"]);
  expect([here.device, here.dtype]).toEqual(["wasm", "q4"]);
});

it("takes the graph for a graphics processor that can use it", () => {
  const here = fitted(SMOL, "f16");
  expect(names(here)).toEqual(["config.json", "tokenizer.json", "onnx/model_q4f16.onnx"]);
  expect([here.device, here.dtype]).toEqual(["webgpu", "q4f16"]);
  const plain = fitted(SMOL, "f32");
  expect([...names(plain), plain.device]).toEqual(["config.json", "tokenizer.json", "onnx/model_q4.onnx", "webgpu"]);
});

it("keeps to the processor where a model has no other graph", () => {
  const captioner = model("onnx/encoder_model_quantized.onnx", "onnx/decoder_model_merged_quantized.onnx");
  expect([fitted(captioner, "f16").device, hasGraphics(captioner, "f16"), hasGraphics(SMOL, "f16")]).toEqual(["wasm", false, true]);
});

it("leaves out no file of a built-in model", () => {
  for (const one of BUILTIN) expect(names(fitted(one, "f16"))).toEqual(names(one));
});

it("asks the browser what its graphics processor can", async () => {
  const navigatorWith = (gpu: unknown) => ({ gpu }) as unknown as Navigator;
  const adapter = (f16: boolean) => ({ requestAdapter: async () => ({ features: { has: () => f16 } }) });
  expect(await gpuOf(navigatorWith(undefined))).toBe("none");
  expect(await gpuOf(navigatorWith({ requestAdapter: async () => null }))).toBe("none");
  expect(await gpuOf(navigatorWith({ requestAdapter: () => Promise.reject(new Error("blocked")) }))).toBe("none");
  expect(await gpuOf(navigatorWith(adapter(false)))).toBe("f32");
  expect(await gpuOf(navigatorWith(adapter(true)))).toBe("f16");
});
