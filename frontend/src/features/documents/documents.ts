/** Owns the documents of svc-rag as the page sees them. */
import { useQuery } from "@tanstack/react-query";
import { api } from "@/shared/api/client";
import type { List } from "@/shared/api/types";

export interface Doc {
  id: string;
  title: string;
  media_type?: string;
  size_bytes?: number;
  pages?: number | null;
  chunks?: number | null;
  status?: "queued" | "processing" | "ready" | "failed";
  error?: string | null;
  created_at?: string | number;
}

/** A stretch of a document; start and end count characters (code points), as the service does. */
export interface Span {
  document_id: string;
  title?: string;
  page?: number | null;
  start: number;
  end: number;
  quote?: string;
}

export interface Answer {
  answer: string;
  citations: Span[];
  found: boolean;
  model?: string;
}

export interface Hit extends Span {
  text: string;
  score: number;
}

export function useDocuments(intervalMs: number | false) {
  return useQuery({
    queryKey: ["documents"],
    queryFn: async () => (await api<List<Doc>>("/v1/documents")).data ?? [],
    refetchInterval: intervalMs,
  });
}

export interface Passage {
  before: string;
  marked: string;
  after: string;
  cutBefore: boolean;
  cutAfter: boolean;
}

/** Cut a readable stretch around a span. A span that does not hold its quote is looked up by the quote. */
export function passageOf(text: string, span: Span, around = 4000): Passage {
  const points = Array.from(text);
  let { start, end } = span;
  if (span.quote && points.slice(start, end).join("") !== span.quote) {
    const at = text.indexOf(span.quote);
    if (at >= 0) {
      start = Array.from(text.slice(0, at)).length;
      end = start + Array.from(span.quote).length;
    }
  }
  const from = Math.max(0, start - around);
  const to = Math.min(points.length, end + around);
  return {
    before: points.slice(from, start).join(""), marked: points.slice(start, end).join(""), after: points.slice(end, to).join(""),
    cutBefore: from > 0, cutAfter: to < points.length,
  };
}
