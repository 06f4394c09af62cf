/** What the stand-in answers with. */
export const CSP = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self'; object-src 'none'; frame-ancestors 'none'";

const model = (id, task, service, size_bytes, languages = []) => ({ id, object: "model", owned_by: "oficina", task, builtin: true, loaded: task === "chat", license: "MIT", size_bytes, languages, service });
const steps = (usual, from, to) => ({ steps: { default: usual, minimum: 1, maximum: 50, usual: [from, to] }, size: { default: "512x512" } });
const guidance = (usual) => ({ guidance_scale: { default: usual, minimum: 0, maximum: 30 } });
export const MODELS = [
  model("oficina-chat", "chat", "chat", 9_800_000, ["pt", "en"]),
  { ...model("scenes-diffusion", "image", "image-gen", 21_000_000), options: { ...steps(10, 4, 50), ...guidance(1.5), negative_prompt: { needs_guidance_above: 1 } } },
  { ...model("LCM_Dreamshaper_v7", "image", "image-gen", 4.3e9, ["en"]), builtin: false, options: { ...steps(4, 1, 8), ...guidance(8.5) } },
  { ...model("sd-turbo", "image", "image-gen", 2.6e9, ["en"]), builtin: false, options: { ...steps(4, 1, 4), ...guidance(0), negative_prompt: { needs_guidance_above: 1 } } },
  model("scenes-caption", "caption", "vision", 12_000_000, ["en"]),
  model("scenes-detector", "detection", "vision", 7_000_000),
  { ...model("SmolVLM-256M-Instruct", "question", "vision", 518_000_000, ["en"]), builtin: false, tasks: ["question", "ocr"] },
  model("scenes-en-pt", "translation", "translate", 7_900_000, ["en", "pt"]),
  model("espeak-ng", "speech", "tts", 4_000_000, ["pt-br", "en", "es"]),
  { ...model("gpt-4o", "chat", "chat", 0), alias_of: "oficina-chat" },
];
const offer = (id, service, task, license, size_bytes, extra = {}) => ({ id, service, task, license, size_bytes, memory_bytes: size_bytes * 1.4, noncommercial: false, languages: ["pt", "en"], installed: false, fits: true, why_not: null,
  good_for: { "pt-BR": "Bom equilíbrio entre tamanho e qualidade.", en: "A good balance of size and quality." }, ...extra });
export const CATALOGUE = [
  offer("Qwen/Qwen2.5-1.5B-Instruct-GGUF", "chat", "chat", "Apache-2.0", 1.1e9),
  offer("SimianLuo/LCM_Dreamshaper_v7", "image-gen", "image", "MIT", 3.4e9),
  offer("stabilityai/sdxl-turbo", "image-gen", "image", "SAI-NC", 13.9e9, { noncommercial: true, fits: false, why_not: "needs 16.0 GiB of memory, this machine can give 12.0 GiB" }),
  offer("Florence-2-base", "vision", "caption", "MIT", 4.6e8),
  offer("hexgrad/Kokoro-82M", "tts", "speech", "Apache-2.0", 3.3e8),
];
export const PAIRS = [["en", "pt"], ["pt", "en"], ["en", "es"], ["es", "pt"]].map(([source, target]) => ({ source, target, model: "scenes-en-pt" }));
export const ANY = [{ model: "m2m100_418M", languages: ["de", "en", "fr", "ja", "pt", "zh"] }];
export const VOICES = [
  ...[["pt-br", "Português (Brasil)"], ["en-us", "English (America)"], ["en-gb", "English (Great Britain)"], ["es", "Español"]].map(([id, name]) => ({ id, name, language: id, model: "espeak-ng" })),
  { id: "pf_dora", name: "Dora", language: "pt-br", model: "Kokoro-82M" },
];
export const DOCUMENT_TEXT = `Regulamento da oficina 🛠\n\n${"Este texto descreve como a oficina funciona no dia a dia. ".repeat(12)}\n\nA oficina abre às oito horas e fecha às dezoito. Aos sábados, fecha ao meio-dia.\n\n${"As ferramentas voltam ao seu lugar no fim do trabalho. ".repeat(12)}`;

export function picture(id) {
  const hue = [...id].reduce((sum, letter) => sum + letter.charCodeAt(0) * 7, 0) % 360;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 256 256" width="256" height="256"><rect width="256" height="256" fill="hsl(${hue} 55% 45%)"/><circle cx="128" cy="128" r="56" fill="hsl(${(hue + 150) % 360} 70% 55%)"/></svg>`;
}

/** Half a second of a 440 Hz tone, 8 kHz, 8 bits. */
export function wav() {
  const count = 4000;
  const head = Buffer.alloc(44);
  head.write("RIFF"); head.writeUInt32LE(36 + count, 4); head.write("WAVEfmt ", 8); head.writeUInt32LE(16, 16); head.writeUInt16LE(1, 20); head.writeUInt16LE(1, 22);
  head.writeUInt32LE(8000, 24); head.writeUInt32LE(8000, 28); head.writeUInt16LE(1, 32); head.writeUInt16LE(8, 34); head.write("data", 36); head.writeUInt32LE(count, 40);
  return Buffer.concat([head, Buffer.from(Array.from({ length: count }, (_, i) => 128 + Math.round(60 * Math.sin((i * 440 * 2 * Math.PI) / 8000))))]);
}
