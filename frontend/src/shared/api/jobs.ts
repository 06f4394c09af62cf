/** Owns following a job of any service: live events, reconnection, the final record. */
import { useQueryClient, type QueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { api, isAbort, request } from "./client";
import { ApiError, asApiError } from "./errors";
import { useList, type Listing, type Told } from "./lists";
import { readSse } from "./sse";
import type { Job, JobProgress } from "./types";

const FINAL = new Set(["completed", "failed", "cancelled"]);
const RECONNECT_MS = 1500;

export function isFinal(job: Pick<JobProgress, "status">): boolean {
  return FINAL.has(job.status);
}

/** Why a job failed, as an error of the service whose job it was. */
export function errorOfJob(job: Job, service: string): ApiError {
  const told = typeof job.error === "string" ? { message: job.error } : job.error;
  return new ApiError(told?.message ?? job.message ?? "", told?.code ?? "job_failed", 500, service);
}

/** Report every progress event until the job is over; resolves with the final record. */
export async function followJob(id: string, onProgress: (progress: JobProgress) => void, signal: AbortSignal): Promise<Job> {
  let lastId: string | null = null;
  for (;;) {
    try {
      const headers: Record<string, string> = lastId ? { "Last-Event-ID": lastId } : {};
      const response = await request(`/v1/jobs/${id}/events`, { headers, signal });
      // 204 without a body: the job was over and all of it had been told.
      for await (const event of response.body ? readSse(response.body) : []) {
        lastId = event.id ?? lastId;
        if (!event.data.startsWith("{")) continue;
        const progress = JSON.parse(event.data) as JobProgress;
        if (progress.status) onProgress(progress);
        if (progress.status && isFinal(progress)) break;
      }
      const job = await api<Job>(`/v1/jobs/${id}`, { signal });
      if (isFinal(job)) return job;
      onProgress(job);
    } catch (error) {
      if (isAbort(error) || !asApiError(error).transient) throw error;
    }
    await pause(RECONNECT_MS, signal);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("aborted", "AbortError"));
    });
  });
}

export function useJobs({ active, intervalMs }: { active?: boolean; intervalMs?: number } = {}): Listing<Job> {
  return useList<Job>("jobs", "/v1/jobs", { enabled: active, intervalMs });
}

/** Show a job that was just begun before the list tells of it. */
export function noteJob(queries: QueryClient, job: Job): void {
  queries.setQueryData<Told<Job>>(["jobs"], (told) => ({ ...told, data: [job, ...(told?.data ?? []).filter((one) => one.id !== job.id)] }));
}

/** Follow one job; the list of jobs is refreshed when it is over. */
export function useJobProgress(id: string, onFinal?: (job: Job) => void): { progress: JobProgress | null; error: unknown } {
  const [progress, setProgress] = useState<JobProgress | null>(null);
  const [error, setError] = useState<unknown>(null);
  const queries = useQueryClient();
  useEffect(() => {
    const controller = new AbortController();
    followJob(id, setProgress, controller.signal)
      .then(async (job) => {
        setProgress(job);
        await queries.invalidateQueries({ queryKey: ["jobs"] });
        onFinal?.(job);
      })
      .catch((reason: unknown) => isAbort(reason) || setError(reason));
    return () => controller.abort();
    // The callback is read once per job on purpose: a new closure must not reconnect.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [id, queries]);
  return { progress, error };
}

export function cancelJob(id: string): Promise<unknown> {
  return api(`/v1/jobs/${id}`, { method: "DELETE" });
}
