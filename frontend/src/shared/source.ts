/** Owns the picture that a tab looks at: a file of the reader or an address. */
import { useEffect, useMemo } from "react";
import { api } from "./api/client";

export type Source = { kind: "file"; file: File } | { kind: "url"; url: string };

/** An address the page may show; the content security policy keeps out pictures of other hosts. */
export function useShownUrl(source: Source | null): string | null {
  const file = source?.kind === "file" ? source.file : null;
  const blobUrl = useMemo(() => (file ? URL.createObjectURL(file) : null), [file]);
  useEffect(() => () => { if (blobUrl) URL.revokeObjectURL(blobUrl); }, [blobUrl]);
  if (blobUrl) return blobUrl;
  return source?.kind === "url" && isShowable(source.url) ? source.url : null;
}

export function isShowable(url: string): boolean {
  return url.startsWith("data:image/") || new URL(url, location.href).origin === location.origin;
}

/** What the services take: multipart for a file, JSON for an address. */
export function payload(source: Source, extra: Record<string, string | boolean> = {}): { form: FormData } | { json: unknown } {
  if (source.kind === "url") return { json: { image_url: source.url, ...extra } };
  const form = new FormData();
  form.append("image", source.file, source.file.name || "picture.png");
  for (const [key, value] of Object.entries(extra)) form.append(key, String(value));
  return { form };
}

export function look<T>(what: string, source: Source, extra: Record<string, string> = {}): Promise<T> {
  return api<T>(`/v1/vision/${what}`, { method: "POST", ...payload(source, extra) });
}
