/** Owns following a training: all that happened so far and what happens now, over broken connections, while it is looked at. */
import { useEffect, useRef, useState } from "react";
import { isAbort, request } from "@/shared/api/client";
import { asApiError } from "@/shared/api/errors";
import { readSse } from "@/shared/api/sse";
import { grow, NOTHING, type Course } from "./course";

/** The server gives a sign of life every 1.5 s. */
const SILENCE_MS = 20_000;
const RECONNECT_MS = 1_500;

/** `onNews` is called when something else than a step happened; give the hook's component the job's id as its key. */
export function useCourse(jobId: string, active: boolean, onNews: () => void): { course: Course; error: unknown } {
  const [course, setCourse] = useState(NOTHING);
  const [error, setError] = useState<unknown>(null);
  const known = useRef(NOTHING);
  const news = useRef(onNews);
  useEffect(() => { news.current = onNews; });
  useEffect(() => {
    if (!active) return;
    const controller = new AbortController();
    const take = (next: Course) => {
      const { said, status } = known.current;
      known.current = next;
      setCourse(next);
      if (next.said.length !== said.length || next.status !== status) news.current();
    };
    follow(jobId, known, take, controller.signal).then(() => news.current(), (reason: unknown) => isAbort(reason) || setError(reason));
    return () => controller.abort();
  }, [jobId, active]);
  return { course, error };
}

/** Resolves when the training is over and all of it was told. */
async function follow(jobId: string, known: { current: Course }, take: (course: Course) => void, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      const headers: Record<string, string> = known.current.lastId ? { "Last-Event-ID": known.current.lastId } : {};
      const response = await request(`/v1/fine_tuning/jobs/${encodeURIComponent(jobId)}/events?stream=true`, { headers, signal });
      for await (const event of readSse(response.body!, SILENCE_MS)) {
        if (event.data === "[DONE]") return;
        const next = grow(known.current, event);
        if (next !== known.current) take(next);
      }
    } catch (reason) {
      if (isAbort(reason) || !asApiError(reason).transient) throw reason;
    }
    await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS));
    signal.throwIfAborted();
  }
}
