/** Owns the worker on the page's side: one for the whole page, started when a model is first loaded. */
import { ApiError } from "@/shared/api/errors";
import { withFile } from "./progress";
import { STOPPED, type Answer, type BrowserModel, type FileProgress, type Message, type Order, type Place, type Sampling, type Task, type Written } from "./wire";

export interface Loaded {
  model: BrowserModel | null;
  status: "none" | "loading" | "ready" | "failed";
  files: FileProgress[];
  place: Place | null;
  error: unknown;
}

const NOTHING: Loaded = { model: null, status: "none", files: [], place: null, error: null };

interface Waiting {
  resolve: (result: never) => void;
  reject: (error: unknown) => void;
  tell: (answer: Answer) => void;
}

export class Engine {
  private worker: Worker | null = null;
  private next = 1;
  private readonly waiting = new Map<number, Waiting>();
  private state: Record<Task, Loaded> = { caption: NOTHING, text: NOTHING };
  private readonly listeners = new Set<() => void>();

  constructor(private readonly start: () => Worker) {}

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  };

  loaded = (task: Task): Loaded => this.state[task];

  /** Load a model; its progress and its end are told by `loaded`. Rejects with ApiError, STOPPED among its codes. */
  async load(model: BrowserModel): Promise<void> {
    this.set(model.task, { model, status: "loading", files: [], place: null, error: null });
    try {
      const place = await this.order<Place>({ do: "load", model }, (answer) => {
        if (answer.tell === "file") this.set(model.task, { ...this.state[model.task], files: withFile(this.state[model.task].files, answer.file) });
      });
      this.set(model.task, { ...this.state[model.task], status: "ready", place });
    } catch (error) {
      const stopped = error instanceof ApiError && error.code === STOPPED;
      this.set(model.task, stopped ? NOTHING : { ...this.state[model.task], status: "failed", error });
      throw error;
    }
  }

  /** Load a model unless it is there. */
  async have(model: BrowserModel): Promise<void> {
    const { model: there, status } = this.state[model.task];
    if (status !== "ready" || there?.id !== model.id || there.version !== model.version || there.dtype !== model.dtype) await this.load(model);
  }

  caption(picture: Blob): Promise<string> {
    return this.order<string>({ do: "caption", picture });
  }

  write(messages: Message[], sampling: Sampling, tell: (text: string, tokens: number) => void): Promise<Written> {
    return this.order<Written>({ do: "write", messages, sampling }, (answer) => { if (answer.tell === "text") tell(answer.text, answer.tokens); });
  }

  stop(): void {
    this.worker?.postMessage({ do: "stop" });
  }

  private set(task: Task, loaded: Loaded): void {
    this.state = { ...this.state, [task]: loaded };
    this.listeners.forEach((listener) => listener());
  }

  private order<T>(order: Order, tell: (answer: Answer) => void = () => {}): Promise<T> {
    const worker = this.running();
    const id = this.next++;
    return new Promise<T>((resolve, reject) => {
      this.waiting.set(id, { resolve, reject, tell });
      worker.postMessage({ ...order, id });
    });
  }

  private running(): Worker {
    if (this.worker) return this.worker;
    const worker = this.start();
    worker.onmessage = ({ data }: MessageEvent<Answer>) => this.hear(data);
    worker.onerror = (event) => { event.preventDefault(); this.lose(event.message || "the worker did not start"); };
    this.worker = worker;
    return worker;
  }

  private hear(answer: Answer): void {
    const waiting = this.waiting.get(answer.id);
    if (!waiting) return;
    if (answer.tell !== "done" && answer.tell !== "failed") return waiting.tell(answer);
    this.waiting.delete(answer.id);
    if (answer.tell === "done") return waiting.resolve(answer.result as never);
    waiting.reject(new ApiError(answer.failure.message, answer.failure.code, -1));
  }

  /** The worker is gone: what waited for it fails, and the next order starts another. */
  private lose(reason: string): void {
    this.worker?.terminate();
    this.worker = null;
    const error = new ApiError(reason, "browser_failed", -1);
    const waiting = [...this.waiting.values()];
    this.waiting.clear();
    waiting.forEach(({ reject }) => reject(error));
    for (const task of ["caption", "text"] as const) {
      if (this.state[task].status === "ready") this.set(task, { ...this.state[task], status: "failed", error });
    }
  }
}

export const engine = new Engine(() => new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "oficina-models" }));
