/** Owns a training's course while its events come in: the losses by step and what was said. Pure; knows no network. */
import type { SseEvent } from "@/shared/api/sse";
import type { JobEvent, JobStatus, Progress } from "./wire";

export interface Point {
  step: number;
  loss: number;
}

export interface Course {
  /** Loss on what each step learned. */
  train: readonly Point[];
  /** Loss on what is held out. */
  held: readonly Point[];
  /** All but the steps, oldest first. */
  said: readonly JobEvent[];
  step: number;
  /** Seconds left when the last step was told; null before. */
  etaS: number | null;
  /** As last told; null before. */
  status: JobStatus | null;
  /** Number of the last event, to go on after it. */
  lastId: string | null;
}

export const NOTHING: Course = { train: [], held: [], said: [], step: 0, etaS: null, status: null, lastId: null };

/** Return what is known after one more event; one that was known already changes nothing. */
export function grow(course: Course, { event, data, id }: SseEvent): Course {
  if (!data.startsWith("{")) return course;
  if (event === "progress") return withProgress(course, JSON.parse(data) as Progress);
  if (id !== null && course.lastId !== null && Number(id) <= Number(course.lastId)) return course;
  const told = JSON.parse(data) as JobEvent;
  const next = { ...course, lastId: id ?? course.lastId };
  const { step = 0, train_loss, valid_loss, eta_s } = told.data ?? {};
  if (train_loss !== undefined) return { ...next, train: [...course.train, { step, loss: train_loss }], step, etaS: eta_s ?? null };
  const said = [...course.said, told];
  return valid_loss === undefined ? { ...next, said } : { ...next, said, held: [...course.held, { step, loss: valid_loss }] };
}

function withProgress(course: Course, { status, step, eta_s }: Progress): Course {
  return { ...course, status, step: Math.max(step, course.step), etaS: eta_s ?? course.etaS };
}
