import { describe, expect, it } from "vitest";
import { Engine } from "./engine";
import { STOPPED, type Answer, type BrowserModel, type Request } from "./wire";

const MODEL: BrowserModel = { id: "m", task: "text", version: "1", base: "/models/m/", files: [] };

/** A worker that a test answers for. */
class FakeWorker {
  static all: FakeWorker[] = [];
  asked: Request[] = [];
  onmessage: (event: { data: Answer }) => void = () => {};
  onerror: (event: { message: string; preventDefault: () => void }) => void = () => {};
  ended = false;
  constructor() { FakeWorker.all.push(this); }
  postMessage(request: Request) { this.asked.push(request); }
  terminate() { this.ended = true; }
  answer(answer: Answer) { this.onmessage({ data: answer }); }
}

function started() {
  FakeWorker.all = [];
  const engine = new Engine(() => new FakeWorker() as unknown as Worker);
  return { engine, worker: () => FakeWorker.all.at(-1)! };
}

const READY: Answer = { id: 1, tell: "done", result: { device: "wasm", threads: 2 } };

describe("the engine", () => {
  it("starts no worker before a model is wanted, and loads a model once", async () => {
    const { engine, worker } = started();
    expect(FakeWorker.all).toHaveLength(0);
    const first = engine.have(MODEL);
    worker().answer({ id: 1, tell: "file", file: { name: "a", loaded: 1, total: 2, state: "fetching" } });
    expect(engine.loaded("text")).toMatchObject({ status: "loading", files: [{ name: "a", loaded: 1 }] });
    worker().answer(READY);
    await first;
    await engine.have(MODEL);
    expect(engine.loaded("text")).toMatchObject({ status: "ready", place: { threads: 2 } });
    expect(worker().asked).toHaveLength(1);
  });

  it("tells the text as it comes", async () => {
    const { engine, worker } = started();
    const told: string[] = [];
    const writing = engine.write([{ role: "user", content: "oi" }], { sample: false, temperature: 1, topK: 1, topP: 1, maxNewTokens: 5 }, (text) => told.push(text));
    worker().answer({ id: 1, tell: "text", text: "O", tokens: 1 });
    worker().answer({ id: 1, tell: "text", text: "Olá", tokens: 2 });
    worker().answer({ id: 1, tell: "done", result: { text: "Olá" } });
    expect(await writing).toEqual({ text: "Olá" });
    expect(told).toEqual(["O", "Olá"]);
  });

  it("tells a failure and lets the reader try again", async () => {
    const { engine, worker } = started();
    const first = engine.load(MODEL);
    worker().answer({ id: 1, tell: "failed", failure: { code: "offline", message: "no network" } });
    await expect(first).rejects.toMatchObject({ code: "offline" });
    expect(engine.loaded("text").status).toBe("failed");
    const second = engine.have(MODEL);
    worker().answer({ ...READY, id: 2 });
    await second;
    expect(engine.loaded("text").status).toBe("ready");
  });

  it("is as before when the reader stops a load", async () => {
    const { engine, worker } = started();
    const loading = engine.load(MODEL);
    engine.stop();
    expect(worker().asked.at(-1)).toEqual({ do: "stop" });
    worker().answer({ id: 1, tell: "failed", failure: { code: STOPPED, message: "stopped" } });
    await expect(loading).rejects.toMatchObject({ code: STOPPED });
    expect(engine.loaded("text").status).toBe("none");
  });

  it("fails what waits for a worker that is lost, and starts another", async () => {
    const { engine, worker } = started();
    const loading = engine.load(MODEL);
    const lost = worker();
    lost.onerror({ message: "out of memory", preventDefault: () => {} });
    await expect(loading).rejects.toMatchObject({ code: "browser_failed" });
    expect(lost.ended).toBe(true);
    void engine.caption(new Blob()).catch(() => {});
    expect(FakeWorker.all).toHaveLength(2);
  });
});
