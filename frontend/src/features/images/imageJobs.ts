/** Owns drawing: the request, the jobs that run, the pictures that are done. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useCallback, useState } from "react";
import { api } from "@/shared/api/client";
import { isFinal, useJobs } from "@/shared/api/jobs";
import type { Job } from "@/shared/api/types";
import { load, save } from "@/shared/storage";

export interface Drawing {
  prompt: string;
  negativePrompt: string;
  size: string;
  steps: number | null;
  guidance: number | null;
  seed: number | null;
  model: string | null;
  /** What makes the finished picture; null: what the service is told to. */
  decoder: string | null;
}

export interface Picture {
  id: string;
  url: string;
  prompt: string;
  createdAt?: string | number;
  /** What the picture was made with, as the service tells it. */
  parameters: Record<string, string | number | boolean>;
}

function requestBody(drawing: Drawing): Record<string, unknown> {
  return {
    prompt: drawing.prompt.trim(),
    response_format: "url",
    // "auto" is the model's own size, which the server knows.
    ...(drawing.size !== "auto" ? { size: drawing.size } : {}),
    ...(drawing.model ? { model: drawing.model } : {}),
    ...(drawing.negativePrompt.trim() ? { negative_prompt: drawing.negativePrompt.trim() } : {}),
    ...(drawing.steps !== null ? { steps: drawing.steps } : {}),
    ...(drawing.guidance !== null ? { guidance_scale: drawing.guidance } : {}),
    ...(drawing.seed !== null ? { seed: drawing.seed } : {}),
    ...(drawing.decoder !== null ? { decoder: drawing.decoder } : {}),
  };
}

const REMEMBERED = "image-prompts";

export function useDraw() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async (drawing: Drawing) => {
      const job = await api<Job>("/v1/images/generations", {
        method: "POST", json: requestBody(drawing), headers: { Prefer: "respond-async" },
      });
      remember(job.id, drawing.prompt.trim());
      return job;
    },
    onSuccess: (job) => {
      queries.setQueryData<Job[]>(["jobs"], (jobs) => [{ ...job, kind: job.kind ?? "image" }, ...(jobs ?? []).filter((one) => one.id !== job.id)]);
    },
  });
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
  return pictures.filter(({ url }) => OWN_MEDIA.test(url)).map(({ id, url, ...own }) => ({
    id, url, prompt: promptOf(job), createdAt: job.updated_at, parameters: shown({ ...parameters, ...own, model, device }),
  }));
}

const OWN_MEDIA = /^\/media\/[\w.-]+$/;
const NOT_SHOWN = new Set(["prompt", "size_bytes", "n"]);

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
