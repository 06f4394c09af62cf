/**
 * A stand-in for the gateway, for working on the page alone: canned answers in the API's shapes,
 * the built page from dist/ under the gateway's content security policy. Any user, password "oficina".
 */
import { createReadStream, existsSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { chatRoutes } from "./chat.mjs";
import { ANY, CATALOGUE, CSP, DOCUMENT_TEXT, MODELS, PAIRS, VOICES, picture, wav } from "./data.mjs";
import { trainingRoutes } from "./training.mjs";

const PORT = Number(process.env.PORT ?? 8101);
const DIST = new URL("../dist", import.meta.url).pathname;
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".mjs": "text/javascript", ".wasm": "application/wasm", ".json": "application/json" };
const state = { personas: [{ id: "per_1", name: "Pirata", description: "Fala como um pirata do mar", instructions: null }], jobs: [], documents: [], keys: [], deleted: new Set() };

const now = () => Date.now() / 1000;
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const json = (res, body, status = 200, headers = {}) => res.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
const fail = (res, status, code, message) => json(res, { error: { message, type: "invalid_request_error", param: null, code } }, status);
const stream = (res) => res.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
const list = (data) => ({ object: "list", data });

async function read(req) {
  const parts = [];
  for await (const part of req) parts.push(part);
  const body = Buffer.concat(parts);
  return (req.headers["content-type"] ?? "").includes("json") && body.length ? JSON.parse(body) : { bytes: body.length, raw: body.toString("latin1") };
}

function makeJob(kind, total, finish) {
  const job = { id: `job_${kind}_${Math.random().toString(16).slice(2, 14)}`, object: "job", kind, status: "queued", step: 0, total, percent: 0, eta_s: null, message: null, preview_url: null, result: null, error: null, created_at: now(), updated_at: now() };
  state.jobs.unshift(job);
  (async () => {
    for (let step = 1; step <= total && job.status !== "cancelled"; step++) {
      await wait(350);
      if (job.status !== "cancelled") Object.assign(job, { status: "running", step, percent: (100 * step) / total, eta_s: (total - step) * 0.35, preview_url: kind === "image" ? `/media/img_preview${step}` : null });
    }
    if (job.status !== "cancelled") Object.assign(job, { status: "completed", result: finish(job), updated_at: now() });
  })();
  return job;
}

async function jobEvents(res, job) {
  stream(res);
  for (let id = 1, last = ""; !res.destroyed; id++) {
    const { status, step, total, percent, eta_s, message, preview_url } = job;
    const text = JSON.stringify({ status, step, total, percent, eta_s, message, preview_url });
    if (text !== last) res.write(`id: ${id}\ndata: ${text}\n\n`);
    last = text;
    if (["completed", "failed", "cancelled"].includes(job.status)) break;
    await wait(100);
  }
  res.end();
}

async function describe(res) {
  stream(res);
  const results = { caption: { text: "a large red circle on a blue background" }, translation: { text: "um círculo vermelho grande sobre um fundo azul" }, speech: { url: "/media/aud_1" } };
  for (const [step, result] of Object.entries(results)) {
    res.write(`event: step\ndata: ${JSON.stringify({ step, status: "running" })}\n\n`);
    await wait(400);
    res.write(`event: step\ndata: ${JSON.stringify({ step, status: "done", result })}\n\n`);
  }
  res.end(`event: done\ndata: ${JSON.stringify(results)}\n\n`);
}

function addDocument(body) {
  const title = /filename="([^"]+)"/.exec(body.raw)?.[1] ?? "documento.txt";
  const document = { id: `doc_${state.documents.length + 1}${Date.now()}`, title: Buffer.from(title, "latin1").toString(), media_type: "text/plain", size_bytes: body.bytes, pages: 1, chunks: 3, status: "processing", created_at: now() };
  state.documents.unshift(document);
  return makeJob("document", 4, () => { document.status = "ready"; return { document_id: document.id }; });
}

function ask(question) {
  const document = state.documents[0];
  const quote = "A oficina abre às oito horas";
  const start = Array.from(DOCUMENT_TEXT.slice(0, DOCUMENT_TEXT.indexOf(quote))).length;
  if (!document || !/oficina|hora|abre/i.test(question)) return { answer: "Não encontrei isso nos documentos.", citations: [], found: false };
  return { answer: "A oficina abre às **oito horas**.", found: true, citations: [{ document_id: document.id, title: document.title, page: 1, start, end: start + quote.length, quote }] };
}

const analysis = { width: 256, height: 256, mode: "RGB", format: "PNG", mean: 101.42, channel_means: { red: 92.1, green: 61.7, blue: 150.5 },
  histogram: Object.fromEntries(["red", "green", "blue"].map((name, c) => [name, Array.from({ length: 32 }, (_, i) => Math.round(900 * Math.exp(-((i - 8 * c - 6) ** 2) / 12)))])),
  dominant_colours: [{ hex: "#1e50d2", rgb: [30, 80, 210], name: "blue", share: 0.71 }, { hex: "#d22d2d", rgb: [210, 45, 45], name: "red", share: 0.29 }], exif: {} };
const status = () => ({ ollama_status: "connected", stable_diffusion_status: "loaded", system_info: { cpu_usage: 37.5, memory_usage: 61.2, gpu_usage: null },
  services: Object.fromEntries(["chat", "image-gen", "vision", "translate", "tts", "rag"].map((name, i) => [name, { status: i === 4 ? "down" : "ready", latency_ms: i === 4 ? null : 1.5 + i, model: MODELS[i % MODELS.length].id, device: "cpu", queue: { running: i % 2, waiting: 0 }, reason: i === 4 ? "does not answer" : null }])) });

const ROUTES = [
  ["GET /v1/models", (_, res) => json(res, list(MODELS))],
  ["GET /v1/catalogue", (_, res) => json(res, list(CATALOGUE))],
  ["POST /v1/models/install", (_, res) => fail(res, 501, "not_implemented", "Installing models from the hub is not available yet.")],
  ["POST /v1/models/(.+)/(load|unload)", (_, res, [, id, what]) => { const model = MODELS.find((one) => one.id === decodeURIComponent(id)); model.loaded = what === "load"; json(res, model); }],
  ["GET /v1/personas/export", (_, res) => json(res, { personas: state.personas })],
  ["GET /v1/personas", (_, res) => json(res, list(state.personas))],
  ["POST /v1/personas/import", (body, res) => { state.personas.push(...body.personas.map((one, i) => ({ id: `per_${Date.now()}${i}`, ...one }))); json(res, list(state.personas), 201); }],
  ["POST /v1/personas", (body, res) => { const made = { id: `per_${Date.now()}`, ...body }; state.personas.push(made); json(res, made, 201); }],
  ["DELETE /v1/personas/(.+)", (_, res, [, id]) => { state.personas = state.personas.filter((one) => one.id !== id); json(res, { deleted: true }); }],
  ...chatRoutes(json, fail),
  ...trainingRoutes(json, fail, MODELS),
  ["POST /v1/images/generations", (body, res) => json(res, makeJob("image", body.steps ?? 8, (job) => ({ prompt: body.prompt, pictures: [{ id: `img_${job.id.slice(-8)}`, url: `/media/img_${job.id.slice(-8)}`, seed: 42, width: 256, height: 256 }], parameters: { steps: body.steps ?? 8, guidance_scale: 7.5 }, model: "scenes-diffusion", device: "cpu" })), 202)],
  ["POST /v1/images/(edits|variations)", (_, res) => json(res, makeJob("image", 8, (job) => ({ prompt: "", pictures: [{ id: `img_${job.id.slice(-8)}`, url: `/media/img_${job.id.slice(-8)}`, seed: 42, width: 256, height: 256 }], parameters: { steps: 8, guidance_scale: 7.5, source: "/media/img_source", strength: 0.8 }, model: "scenes-diffusion", device: "cpu" })), 202)],
  ["POST /v1/vision/detections", (_, res) => json(res, { detections: [{ label: "red circle", score: 0.98, box: [78, 78, 178, 178] }, { label: "yellow star", score: 0.71, box: [10, 20, 60, 70] }], width: 256, height: 256 })],
  ["POST /v1/vision/classifications", (_, res) => json(res, { classifications: [{ label: "circle", score: 0.93 }, { label: "ring", score: 0.05 }, { label: "star", score: 0.02 }] })],
  ["POST /v1/vision/questions", (body, res) => json(res, { answer: "A red circle.", question: body.question ?? "?", model: "SmolVLM-256M-Instruct" })],
  ["POST /v1/vision/texts", (_, res) => json(res, { text: "OPEN\ntill six", lines: [], model: "SmolVLM-256M-Instruct" })],
  ["POST /v1/vision/analysis", (_, res) => json(res, analysis)],
  ["POST /v1/pipelines/describe", (_, res) => describe(res)],
  ["GET /v1/translations/languages", (_, res) => json(res, { ...list(PAIRS), any: ANY })],
  ["POST /v1/translations", async (body, res) => { await wait(250); json(res, { translations: [{ text: body.target === "pt" ? "um círculo vermelho grande sobre um fundo azul" : "a large red circle on a blue background", source: body.target === "pt" ? "en" : "pt", target: body.target, model: "scenes-en-pt" }] }); }],
  ["GET /v1/audio/voices", (_, res) => json(res, list(VOICES))],
  ["POST /v1/audio/speech", (_, res) => res.writeHead(200, { "content-type": "audio/wav" }).end(wav())],
  ["GET /v1/documents", (_, res) => json(res, list(state.documents))],
  ["GET /v1/documents/(.+)/text", (_, res) => json(res, { text: DOCUMENT_TEXT, pages: [{ page: 1, start: 0, end: DOCUMENT_TEXT.length }] })],
  ["POST /v1/documents", (body, res) => json(res, addDocument(body), 202)],
  ["DELETE /v1/documents/(.+)", (_, res, [, id]) => { state.documents = state.documents.filter((one) => one.id !== id); json(res, { deleted: true }); }],
  ["POST /ask/question", async (body, res) => { await wait(300); json(res, ask(body.question)); }],
  ["POST /v1/search", (_, res) => json(res, { hits: state.documents.slice(0, 1).map((one) => ({ document_id: one.id, chunk_id: "c1", title: one.title, text: DOCUMENT_TEXT.slice(0, 180), score: 0.8, page: 1, start: 0, end: 180 })) })],
  ["GET /v1/jobs", (_, res) => json(res, list(state.jobs))],
  ["GET /v1/jobs/([^/]+)/events", (_, res, [, id]) => jobEvents(res, state.jobs.find((job) => job.id === id))],
  ["GET /v1/jobs/([^/]+)", (_, res, [, id]) => json(res, state.jobs.find((job) => job.id === id))],
  ["DELETE /v1/jobs/([^/]+)", (_, res, [, id]) => json(res, Object.assign(state.jobs.find((job) => job.id === id), { status: "cancelled" }))],
  ["GET /media/(aud_.+)", (_, res) => res.writeHead(200, { "content-type": "audio/wav" }).end(wav())],
  ["GET /media/(.+)", (_, res, [, id]) => state.deleted.has(id) ? fail(res, 404, "not_found", "gone") : res.writeHead(200, { "content-type": "image/svg+xml" }).end(picture(id))],
  ["DELETE /media/(.+)", (_, res, [, id]) => { state.deleted.add(id); res.writeHead(204).end(); }],
  ["GET /api/status", (_, res) => json(res, status())],
  ["GET /auth/keys", (_, res) => json(res, { keys: state.keys })],
  ["POST /auth/keys", (body, res) => { const key = { id: `key_${Date.now()}`, name: body.name, prefix: "of_3f9a", created_at: now() }; state.keys.push(key); json(res, { ...key, key: "of_3f9a71c2b4d5e6f708192a3b4c5d6e7f" }, 201); }],
  ["DELETE /auth/keys/(.+)", (_, res, [, id]) => { state.keys = state.keys.filter((one) => one.id !== id); res.writeHead(204).end(); }],
  ["GET /auth/me", (_, res) => json(res, { id: "usr_1", username: "ana", role: "owner", scopes: ["*"] })],
  ["POST /auth/logout", (_, res) => res.writeHead(204, { "set-cookie": ["oficina_session=; Max-Age=0; Path=/"] }).end()],
].map(([line, answer]) => { const [method, path] = line.split(" "); return { method, path: new RegExp(`^${path}$`), answer }; });

const COOKIES = { "set-cookie": ["oficina_session=s; HttpOnly; Path=/; SameSite=Lax", "oficina_csrf=c; Path=/; SameSite=Lax"] };

function page(path, res) {
  const file = join(DIST, normalize(path === "/" ? "/index.html" : path));
  if (!file.startsWith(DIST) || !existsSync(file)) return fail(res, 404, "not_found", "There is no such file.");
  const csp = path.startsWith("/assets/worker/") ? CSP.replace("script-src 'self'", "script-src 'self' 'wasm-unsafe-eval'") : CSP;
  res.writeHead(200, {
    "content-type": TYPES[extname(file)] ?? "application/octet-stream", "content-security-policy": csp,
    "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp",
  });
  createReadStream(file).pipe(res);
}

createServer(async (req, res) => {
  const { pathname: path, searchParams } = new URL(req.url, "http://mock");
  const body = await read(req);
  if (path === "/auth/login" || path === "/auth/link") {
    const good = body.password === "oficina" || body.token === "once";
    return good ? json(res, { access_token: "t", token_type: "bearer", expires_in: 900 }, 200, COOKIES) : fail(res, 401, "wrong_password", "User name and password do not belong together.");
  }
  if (path === "/auth/methods") return json(res, { password: true, oidc: process.env.MOCK_OIDC ? { name: process.env.MOCK_OIDC } : null });
  const route = ROUTES.find((one) => one.method === req.method && one.path.test(path));
  if (!route) return page(path, res);
  if (!req.headers.cookie?.includes("oficina_session=s")) return fail(res, 401, "invalid_credentials", "Log in.");
  if (req.method !== "GET" && req.headers["x-csrf-token"] !== "c") return fail(res, 403, "csrf_required", "The CSRF header is missing.");
  await route.answer(body, res, route.path.exec(path), searchParams, req);
}).listen(PORT, "127.0.0.1", () => console.log(`http://127.0.0.1:${PORT}/#token=once`));
