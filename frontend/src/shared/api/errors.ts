/** Owns the page's one error type and how it becomes a sentence in the reader's language. */
import type { TFunction } from "i18next";

export interface ErrorBody {
  error?: { message?: string; type?: string; param?: string | null; code?: string | null };
}

/** Services by the first words of their paths; the longest match wins. */
const SERVICE_OF_PATH: ReadonlyArray<readonly [string, string]> = [
  ["/v1/chat", "chat"],
  ["/v1/responses", "chat"],
  ["/v1/conversations", "chat"],
  ["/v1/personas", "chat"],
  ["/v1/assistants", "chat"],
  ["/v1/threads", "chat"],
  ["/v1/files", "chat"],
  ["/v1/fine_tuning", "chat"],
  ["/v1/vector_stores", "documents"],
  ["/v1/images", "images"],
  ["/v1/vision", "vision"],
  ["/v1/pipelines", "vision"],
  ["/v1/translations", "translate"],
  ["/v1/audio", "speech"],
  ["/v1/documents", "documents"],
  ["/v1/search", "documents"],
  ["/ask", "documents"],
];

export function serviceOfPath(path: string): string {
  return SERVICE_OF_PATH.find(([prefix]) => path.startsWith(prefix))?.[1] ?? "gateway";
}

/** Codes that wait for somebody to do something, also where no header says so: in a stream, in a job. */
const LASTING = new Set(["no_model"]);

export class ApiError extends Error {
  constructor(
    message: string,
    readonly code: string,
    readonly status: number,
    readonly service: string = "gateway",
    readonly param: string | null = null,
    readonly retryAfterS: number | null = null,
    /** The server says that waiting does not help. */
    readonly lasting: boolean = LASTING.has(code),
  ) {
    super(message);
    this.name = "ApiError";
  }

  /** True when the same call may succeed a little later without any change. */
  get transient(): boolean {
    return !this.lasting && (this.status === 0 || this.status === 429 || this.status >= 502);
  }
}

/** Read an error answer; a body that is not in the API's shape still gives a usable error. */
export async function errorOfResponse(response: Response, path: string): Promise<ApiError> {
  const text = await response.text().catch(() => "");
  return errorOfBody(response.status, text, path, (name) => response.headers.get(name));
}

export function errorOfBody(status: number, text: string, path: string, header: (name: string) => string | null = () => null): ApiError {
  let body: ErrorBody = {};
  try {
    body = (JSON.parse(text) as ErrorBody | null) ?? {};
  } catch {
    // An HTML page of a proxy in between: the status says all there is to say.
  }
  const { message, code, param } = body.error ?? {};
  const retryAfterS = Number(header("retry-after"));
  return new ApiError(
    message ?? `HTTP ${status}`, code ?? codeOfStatus(status), status, serviceOfPath(path), param ?? null,
    retryAfterS > 0 ? retryAfterS : null, header("x-should-retry") === "false" || undefined,
  );
}

function codeOfStatus(status: number): string {
  if (status === 401) return "unauthorized";
  if (status === 403) return "forbidden";
  if (status === 404) return "not_found";
  if (status === 413) return "payload_too_large";
  if (status === 415) return "unsupported_media_type";
  if (status === 429) return "too_busy";
  if (status === 501) return "not_implemented";
  if (status === 504) return "deadline_exceeded";
  return status === 502 || status === 503 ? "service_unavailable" : "unknown";
}

export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return new ApiError(error instanceof Error ? error.message : String(error), "unknown", -1);
}

/** Codes whose dictionary sentence would lose what the server says (which value, which limit). */
const DETAIL_MATTERS = new Set([
  "invalid_value", "invalid_request", "model_not_found", "context_length_exceeded", "conflict", "unsupported_media",
  "unsupported_media_type", "not_implemented", "payload_too_large", "repository_not_found", "repository_gated", "unsafe_model", "model_does_not_fit",
  "hub_unreachable", "hash_mismatch", "invalid_training_data", "model_not_trainable", "training_too_large", "training_not_installed", "invalid_job_state",
  "no_memory_for_model", "no_model", "wrong_task", "file_too_large", "image_too_large", "document_too_large", "file_quota_reached", "too_many_runs",
  "code_interpreter_off", "invalid_size", "too_many_steps", "scheduler_does_not_fit", "unsupported_pipeline", "url_not_allowed", "url_too_large",
  "url_unreachable", "url_wrong_type", "embedder_missing",
  "code_too_long", "session_disk_full", "invalid_file_name", "newer_database", "training_process_died",
  "browser_failed", "browser_no_space", "browser_file_missing", "browser_file_wrong",
]);

export interface ErrorText {
  title: string;
  detail: string | null;
}

/** The sentence for an error: by `error.code` in the dictionary, else the server's own message. */
export function describeError(error: unknown, t: TFunction, exists: (key: string) => boolean): ErrorText {
  const known = asApiError(error);
  const key = `errors.${known.code}`;
  const service = t(`services.${known.service}`);
  if (!exists(key)) return { title: known.message || t("errors.unknown"), detail: null };
  const detail = DETAIL_MATTERS.has(known.code) && known.message ? known.message : null;
  return { title: t(key, { service }), detail };
}
