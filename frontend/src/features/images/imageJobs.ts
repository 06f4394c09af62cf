/** Owns drawing: the request, the jobs that run, the pictures that are done. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useCallback, useState } from "react";
import { api, request } from "@/shared/api/client";
import { isFinal, noteJob, useJobs } from "@/shared/api/jobs";
import type { Job } from "@/shared/api/types";
import { load, save } from "@/shared/storage";
import { orderOf, type Asked } from "./orders";

export interface Picture {
  id: string;
  jobId: string;
  url: string;
  prompt: string;
  /** Where the picture lies that it began from; null: from none. */
  sourceUrl: string | null;
  createdAt?: string | number;
  /** What the picture was made with, as the service tells it. */
  parameters: Record<string, string | number | boolean>;
}

const REMEMBERED = "image-prompts";

export function useOrder() {
  const queries = useQueryClient();
  const [lastJobId, setLastJobId] = useState<string | null>(null);
  const order = useMutation({
    mutationFn: async (asked: Asked) => {
      const { path, prompt, json, form } = await orderOf(asked);
      const job = await api<Job>(path, { method: "POST", json, form, headers: { Prefer: "respond-async" } });
      remember(job.id, prompt);
      return job;
    },
    onSuccess: (job) => {
      setLastJobId(job.id);
      noteJob(queries, { ...job, kind: job.kind ?? "image" });
    },
  });
  return { ...order, lastJobId };
}

/** The job list need not repeat the prompt, so that it can be shown while the picture is drawn. */
function remember(jobId: string, prompt: string): void {
  const known = load<Record<string, string>>(REMEMBERED, {});
  save(REMEMBERED, Object.fromEntries([[jobId, prompt], ...Object.entries(known)].slice(0, 100)));
}

export function promptOf(job: Job): string {
  const text = job.result?.prompt ?? load<Record<string, string>>(REMEMBERED, {})[job.id];
  return typeof text === "string" ? text : "";
}

export function useImageJobs() {
  const jobs = useJobs();
  const drawn = (jobs.data ?? []).filter((job) => job.kind?.startsWith("image"));
  return {
    query: jobs,
    running: drawn.filter((job) => !isFinal(job)),
    pictures: drawn.filter((job) => job.status === "completed").flatMap(picturesOf),
  };
}

/** What svc-image-gen keeps as the result of a job. */
interface DrawingResult {
  pictures?: ({ id: string; url: string } & Record<string, unknown>)[];
  parameters?: Record<string, unknown>;
  model?: string;
  device?: string;
}

function picturesOf(job: Job): Picture[] {
  const { pictures = [], parameters, model, device } = (job.result ?? {}) as DrawingResult;
  const source = parameters?.source;
  return pictures.filter(({ url }) => OWN_MEDIA.test(url)).map(({ id, url, ...own }) => ({
    id, jobId: job.id, url, prompt: promptOf(job), createdAt: job.updated_at,
    sourceUrl: typeof source === "string" && OWN_MEDIA.test(source) ? source : null,
    parameters: shown({ ...parameters, ...own, model, device }),
  }));
}

/** A picture that is kept here, as a file to begin from. */
export async function fileOf({ id, url }: Pick<Picture, "id" | "url">): Promise<File> {
  const content = await (await request(url)).blob();
  return new File([content], `${id}.png`, { type: content.type });
}

const OWN_MEDIA = /^\/media\/[\w.-]+$/;
const NOT_SHOWN = new Set(["prompt", "size_bytes", "n", "source", "mask"]);

function shown(parameters: Record<string, unknown>): Picture["parameters"] {
  return Object.fromEntries(
    Object.entries(parameters).filter(([key, value]) => !NOT_SHOWN.has(key) && value !== "" && ["string", "number", "boolean"].includes(typeof value)),
  ) as Picture["parameters"];
}

/** Pictures deleted or found missing: their jobs stay in the list, the pictures do not. */
export function useHidden() {
  const [hidden, setHidden] = useState<string[]>(() => load("images-hidden", []));
  const hide = useCallback((id: string) => setHidden((now) => {
    if (now.includes(id)) return now;
    const next = [id, ...now].slice(0, 500);
    save("images-hidden", next);
    return next;
  }), []);
  return { hidden, hide };
}
