/** Owns every call to the gateway: same origin, session cookie, CSRF header, errors in one type. */
import { ApiError, errorOfBody, errorOfResponse, serviceOfPath } from "./errors";

/** Sent on `window` when the session is missing or over, so that the login form takes the page. */
export const SIGNED_OUT = "oficina:signed-out";

export interface RequestOptions {
  method?: "GET" | "POST" | "PATCH" | "DELETE";
  json?: unknown;
  form?: FormData;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

export function csrfToken(cookies: string = document.cookie): string {
  const found = cookies.split("; ").find((pair) => pair.startsWith("oficina_csrf="));
  return found ? decodeURIComponent(found.slice("oficina_csrf=".length)) : "";
}

/** Send a request; resolve with a 2xx response, reject with ApiError (an abort stays an AbortError). */
export async function request(path: string, options: RequestOptions = {}): Promise<Response> {
  const method = options.method ?? "GET";
  const headers: Record<string, string> = { ...options.headers };
  if (method !== "GET") headers["X-CSRF-Token"] = csrfToken();
  if (options.json !== undefined) headers["Content-Type"] = "application/json";
  const body = options.json !== undefined ? JSON.stringify(options.json) : options.form;
  let response: Response;
  try {
    response = await fetch(path, { method, headers, body, signal: options.signal, credentials: "same-origin" });
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new ApiError("The gateway cannot be reached.", "offline", 0);
  }
  if (response.ok) return response;
  announceSignedOut(response.status, path);
  throw await errorOfResponse(response, path);
}

export async function api<T>(path: string, options: RequestOptions = {}): Promise<T> {
  const response = await request(path, options);
  const text = await response.text();
  return (text ? JSON.parse(text) : null) as T;
}

/** Upload with progress (0–1), which fetch cannot tell. */
export function upload<T>(path: string, form: FormData, onProgress: (part: number) => void, signal?: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const call = new XMLHttpRequest();
    call.open("POST", path);
    call.setRequestHeader("X-CSRF-Token", csrfToken());
    call.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    call.onload = () => {
      if (call.status >= 200 && call.status < 300) return resolve(JSON.parse(call.responseText || "null") as T);
      announceSignedOut(call.status, path);
      reject(errorOfBody(call.status, call.responseText, path, (name) => call.getResponseHeader(name)));
    };
    call.onerror = () => reject(new ApiError("The gateway cannot be reached.", "offline", 0, serviceOfPath(path)));
    call.onabort = () => reject(new DOMException("aborted", "AbortError"));
    signal?.addEventListener("abort", () => call.abort());
    call.send(form);
  });
}

export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

function announceSignedOut(status: number, path: string): void {
  if (status === 401 && !path.startsWith("/auth/")) window.dispatchEvent(new Event(SIGNED_OUT));
}
