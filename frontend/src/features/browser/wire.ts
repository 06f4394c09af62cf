/** Owns what the page and the worker say to each other. Plain data: it has to pass `postMessage`. */

export type Task = "caption" | "text";

export interface ModelFile {
  name: string;
  size: number;
}

/** A model whose files this origin serves; `version` changes with any byte of them. */
export interface BrowserModel {
  id: string;
  task: Task;
  builtin?: boolean;
  license?: string | null;
  languages?: string[];
  version: string;
  /** Folder of the files on this origin, with a slash at its end. */
  base: string;
  files: ModelFile[];
  /** Where it runs, and its files' precision in the library's words; `variants.ts` chooses. */
  device?: "wasm" | "webgpu";
  dtype?: string;
}

export interface Message {
  role: "system" | "user" | "assistant";
  content: string;
}

/** How words are chosen; what each does is told beside its control. */
export interface Sampling {
  sample: boolean;
  temperature: number;
  topK: number;
  topP: number;
  maxNewTokens: number;
}

/** Where a model runs. */
export interface Place {
  device: "wasm" | "webgpu";
  threads: number;
}

export interface FileProgress {
  name: string;
  loaded: number;
  /** 0 until it is known. */
  total: number;
  state: "waiting" | "fetching" | "kept";
  /** Whether it was in the browser's cache before. */
  cached?: boolean;
}

export type Order =
  | { do: "load"; model: BrowserModel }
  | { do: "caption"; picture: Blob }
  | { do: "write"; messages: Message[]; sampling: Sampling };

export type Request = (Order & { id: number }) | { do: "stop" };

/** The code of an order that the reader stopped. */
export const STOPPED = "browser_stopped";

export interface Failure {
  code: string;
  message: string;
}

export type Answer =
  | { id: number; tell: "file"; file: FileProgress }
  | { id: number; tell: "text"; text: string; tokens: number }
  | { id: number; tell: "done"; result: unknown }
  | { id: number; tell: "failed"; failure: Failure };

export interface Written {
  text: string;
  tokens: number;
  tokensPerSecond: number;
  stopped: boolean;
}
