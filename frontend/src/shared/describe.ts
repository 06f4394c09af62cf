/** Owns the picture told aloud: caption, translation and speech, each shown as soon as it is there. */
import { useRef, useState } from "react";
import { isAbort, request } from "./api/client";
import { ApiError, type ErrorBody } from "./api/errors";
import { readSse } from "./api/sse";
import { payload, type Source } from "./source";

export type StepName = "caption" | "translation" | "speech";
export const STEPS: StepName[] = ["caption", "translation", "speech"];
/** Languages that a picture is told in. */
export const SPEECH_TARGETS = ["pt", "en", "es"];

export interface Step {
  status: "waiting" | "running" | "done" | "failed";
  text?: string;
  url?: string;
  imageUrl?: string;
}

interface StepEvent extends ErrorBody {
  step?: StepName;
  status?: string;
  result?: { text?: string; url?: string; image_url?: string; translations?: { text: string }[] } | null;
}

const SERVICES: Record<StepName, string> = { caption: "vision", translation: "translate", speech: "speech" };

export type Steps = Record<StepName, Step>;

const WAITING: Steps = { caption: { status: "waiting" }, translation: { status: "waiting" }, speech: { status: "waiting" } };

interface Captioning {
  captioner?: () => Promise<string>;
  captionModel?: string | null;
}

export function useDescribe() {
  const [steps, setSteps] = useState<Steps | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const abort = useRef<AbortController | null>(null);

  /** `captioner` writes the caption here, in the browser; without it svc-vision does, by `captionModel` where one is named. */
  const run = async (source: Source, target: string, { captioner, captionModel }: Captioning = {}) => {
    abort.current?.abort();
    const controller = new AbortController();
    abort.current = controller;
    setError(null);
    setBusy(true);
    setSteps({ ...WAITING, caption: { status: "running" } });
    try {
      const caption = await captioner?.();
      if (controller.signal.aborted) return;
      if (caption !== undefined) setSteps({ ...WAITING, caption: { status: "done", text: caption } });
      const asked = caption === undefined ? payload(source, { target, stream: true, ...(captionModel ? { caption_model: captionModel } : {}) }) : { json: { caption, target, stream: true } };
      const response = await request("/v1/pipelines/describe", { method: "POST", signal: controller.signal, ...asked });
      for await (const event of readSse(response.body!)) {
        if (!event.data.startsWith("{")) continue;
        const told = JSON.parse(event.data) as StepEvent;
        if (told.error) throw new ApiError(told.error.message ?? "", told.error.code ?? "unknown", 500, SERVICES[told.step ?? "caption"]);
        if (told.step) setSteps((now) => ({ ...(now ?? WAITING), [told.step!]: stepOf(told) }));
      }
    } catch (reason) {
      if (isAbort(reason)) return;
      setError(reason);
      setSteps((now) => now && (Object.fromEntries(STEPS.map((name) => [name, stopped(now[name])])) as Steps));
    } finally {
      if (abort.current === controller) setBusy(false);
    }
  };
  const reset = () => {
    abort.current?.abort();
    setBusy(false);
    setSteps(null);
    setError(null);
  };
  return { steps, error, busy, run, reset };
}

function stepOf({ status, result }: StepEvent): Step {
  const done = status === "done" || status === "completed";
  return {
    status: done ? "done" : status === "failed" ? "failed" : "running",
    text: result?.text ?? result?.translations?.[0]?.text, url: result?.url, imageUrl: result?.image_url,
  };
}

function stopped(step: Step): Step {
  return step.status === "running" ? { ...step, status: "failed" } : step;
}
