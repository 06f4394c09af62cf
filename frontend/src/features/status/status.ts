/** Owns reading `/api/status`, whose meters may be plain percents or records. */
import { formatBytes } from "@/shared/format";

export interface Service {
  status: string;
  reason?: string | null;
  latency_ms?: number | null;
  model?: string | null;
  device?: string | null;
  queue?: { running?: number; waiting?: number } | number | null;
}

export interface Memory {
  budget_bytes: number;
  held_bytes: number;
  held: { service: string; model: string; bytes: number; in_use: boolean; idle_s: number }[];
}

export interface Status {
  memory?: Memory;
  services?: Record<string, Service>;
  system_info?: { cpu_usage?: unknown; memory_usage?: unknown; gpu_usage?: unknown };
}

/** The tab, and so the word, that stands for what a service does; null: one that has none. */
export function tabOf(service: string): string | null {
  return { chat: "chat", "image-gen": "images", vision: "vision", translate: "translate", tts: "speech", rag: "documents" }[service] ?? null;
}

/** The id of the training that a holder of memory is; null: it is a model. */
export function trainingOf(holder: string): string | null {
  return holder.startsWith("training ") ? holder.slice("training ".length) : null;
}

export interface Meter {
  percent: number | null;
  detail: string | null;
}

export function meterOf(value: unknown, language: string): Meter {
  if (typeof value === "number") return { percent: value, detail: null };
  if (typeof value === "string") {
    const percent = Number.parseFloat(value);
    return { percent: Number.isFinite(percent) ? percent : null, detail: null };
  }
  if (value === null || typeof value !== "object") return { percent: null, detail: null };
  const record = value as Record<string, unknown>;
  const number = (...names: string[]) => names.map((name) => record[name]).find((one): one is number => typeof one === "number") ?? null;
  const used = number("used_bytes", "used");
  const total = number("total_bytes", "total");
  const percent = number("percent", "usage", "usage_percent", "utilization") ?? (used !== null && total ? (100 * used) / total : null);
  return { percent, detail: used !== null && total !== null ? `${formatBytes(used, language)} / ${formatBytes(total, language)}` : null };
}
