/** Owns a thread's current run: starts it, follows its events, picks it up again after a closed page. */
import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useRef, useState } from "react";
import { api, isAbort, request } from "@/shared/api/client";
import { asApiError } from "@/shared/api/errors";
import { readSse } from "@/shared/api/sse";
import { useRuns } from "./assistants";
import { grow, NOTHING, settled, type Live } from "./live";
import { isActive, type Run } from "./wire";

/** The server gives a sign of life every 15 s. */
const SILENCE_MS = 40_000;

export interface ThreadRun {
  run: Run | null;
  texts: ReadonlyMap<string, string>;
  busy: boolean;
  /** A run is at work whose events do not come in here. */
  watching: boolean;
  error: unknown;
  start: (threadId: string, assistantId: string) => void;
  submit: (outputs: { tool_call_id: string; output: string }[]) => void;
  cancel: () => void;
  dismiss: () => void;
}

export function useRun(threadId: string | null): ThreadRun {
  const queries = useQueryClient();
  const [live, setLive] = useState<Live & { threadId: string | null }>({ ...NOTHING, threadId: null });
  const [streaming, setStreaming] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const stream = useRef<AbortController | null>(null);
  const [watching, setWatching] = useState(false);
  const runs = useRuns(threadId, watching && !streaming);
  const newest = runs.data?.[0] ?? null;
  const mine = live.threadId === threadId;
  const run = mine && live.run && (streaming || newest?.id !== live.run.id) ? live.run : newest;
  const active = run !== null && isActive(run);
  if (watching !== active) setWatching(active);

  const refresh = useCallback((thread: string) => {
    for (const key of ["thread-messages", "thread-runs"]) void queries.invalidateQueries({ queryKey: [key, thread] });
    void queries.invalidateQueries({ queryKey: ["run-steps"] });
  }, [queries]);
  // Also when a run that somebody else follows, or that the page lost, comes to its end.
  const status = run?.status;
  useEffect(() => { if (threadId !== null && status !== undefined) refresh(threadId); }, [threadId, status, refresh]);
  useEffect(() => () => stream.current?.abort(), [threadId]);

  const follow = useCallback(async (thread: string, path: string, json: object) => {
    stream.current?.abort();
    const controller = (stream.current = new AbortController());
    let now: Live = NOTHING;
    setError(null);
    setLive({ ...now, threadId: thread });
    setStreaming(true);
    try {
      const response = await request(path, { method: "POST", json: { ...json, stream: true }, signal: controller.signal });
      for await (const event of readSse(response.body!, SILENCE_MS)) {
        const before = now.changes;
        now = grow(now, event);
        setLive({ ...now, threadId: thread });
        if (now.changes !== before) refresh(thread);
        if (event.event === "done" || settled(now)) break;
      }
    } catch (reason) {
      // The run goes on at the server: asking for it every second takes over.
      if (!isAbort(reason) && !(now.run !== null && asApiError(reason).transient)) setError(reason);
    } finally {
      if (stream.current === controller) setStreaming(false);
      refresh(thread);
    }
  }, [refresh]);

  const act = (path: string) => { api(path, { method: "POST", json: {} }).catch(setError).finally(() => threadId && refresh(threadId)); };
  return {
    run, texts: mine ? live.texts : NOTHING.texts, busy: streaming || active, watching: active && !streaming, error,
    start: (thread, assistantId) => void follow(thread, `/v1/threads/${thread}/runs`, { assistant_id: assistantId }),
    submit: (outputs) => { if (run) void follow(run.thread_id, `/v1/threads/${run.thread_id}/runs/${run.id}/submit_tool_outputs`, { tool_outputs: outputs }); },
    cancel: () => { if (run) act(`/v1/threads/${run.thread_id}/runs/${run.id}/cancel`); },
    dismiss: () => setError(null),
  };
}
