/**
 * The web worker: loads models and runs them, away from the page's own thread. Owns one model of each task; orders are
 * done one after another, `stop` is heard between two tokens.
 */
import { loadCaptioner, type Captioner } from "./captioner";
import { cacheName, forgetOthers, keepAll, KeepingError, shelfOf } from "./keeping";
import { readFrom, startRuntime } from "./runtime";
import { STOPPED, type Answer, type BrowserModel, type Failure, type Order, type Place, type Request } from "./wire";
import { loadWriter, type Writer } from "./writer";

const page = self as unknown as { postMessage: (answer: Answer) => void; onmessage: (event: MessageEvent<Request>) => void };
let captioner: Captioner | null = null;
let writer: Writer | null = null;
let queue: Promise<unknown> = Promise.resolve();
let fetching: AbortController | null = null;

page.onmessage = ({ data: order }) => {
  if (order.do === "stop") {
    fetching?.abort();
    return writer?.stop();
  }
  queue = queue.then(() => done(order));
};

async function done(order: Order & { id: number }): Promise<void> {
  try {
    page.postMessage({ id: order.id, tell: "done", result: await result(order) });
  } catch (error) {
    page.postMessage({ id: order.id, tell: "failed", failure: failureOf(error) });
  }
}

async function result(order: Order & { id: number }): Promise<unknown> {
  if (order.do === "load") return load(order.model, order.id);
  if (order.do === "caption") {
    if (!captioner) throw new Error("no captioner is loaded");
    return captioner.caption(order.picture);
  }
  if (!writer) throw new Error("no language model is loaded");
  return writer.write(order.messages, order.sampling, (text, tokens) => page.postMessage({ id: order.id, tell: "text", text, tokens }));
}

async function load(model: BrowserModel, id: number): Promise<Place> {
  const tell = (file: Extract<Answer, { tell: "file" }>["file"]) => page.postMessage({ id, tell: "file", file });
  const place = await startRuntime(tell);
  const shelf = await shelfOf(cacheName(model));
  const base = model.base.slice(0, -model.id.length - 1);
  fetching = new AbortController();
  try {
    await keepAll(shelf, model.base, model.files, tell, fetching.signal);
  } finally {
    fetching = null;
  }
  await forgetOthers(model);
  readFrom(shelf, base);
  const { device = "wasm", dtype = "q8" } = model;
  const options = { device, dtype };
  if (model.task === "caption") {
    const loaded = await loadCaptioner(model, options);
    await captioner?.dispose();
    captioner = loaded;
  } else {
    const loaded = await loadWriter(model, options);
    await writer?.dispose();
    writer = loaded;
  }
  return { ...place, device };
}

function failureOf(error: unknown): Failure {
  if (error instanceof KeepingError) return { code: error.code, message: error.message };
  if (error instanceof DOMException && error.name === "AbortError") return { code: STOPPED, message: "stopped" };
  const message = error instanceof Error ? error.message : String(error);
  return { code: /out of memory|allocation failed/i.test(message) ? "browser_no_memory" : "browser_failed", message: message.slice(0, 300) };
}
