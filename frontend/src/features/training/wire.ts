/** Owns the shapes of OpenAI's fine-tuning API as far as the page reads them; `progress`, `counts` and `measured` are our own. */

export type JobStatus = "queued" | "running" | "paused" | "succeeded" | "failed" | "cancelled";

export interface Progress {
  status: JobStatus;
  step: number;
  total_steps: number;
  train_loss: number | null;
  valid_loss: number | null;
  eta_s: number | null;
}

/** What the training's last look at the held-out examples found; losses in nats a token. */
export interface Measured {
  base_valid_loss: number | null;
  valid_loss: number;
  /** How far answers to general talk moved from the base's. */
  drift: number;
  best_step: number | null;
  seconds: number;
}

export interface Job {
  id: string;
  created_at: number;
  finished_at: number | null;
  status: JobStatus;
  /** The base. */
  model: string;
  fine_tuned_model: string | null;
  user_provided_suffix: string | null;
  error: { code: string; message: string } | null;
  hyperparameters: { n_epochs: number | "auto"; batch_size: number | "auto"; learning_rate_multiplier: number | "auto" };
  progress: Progress;
  /** Why a training that is next does not begin. */
  waiting?: { code: string; message: string } | null;
  /** `held_out` 0: held out are other wordings of the same examples. */
  counts: { examples: number; held_out: number };
  measured: Measured | null;
}

export interface JobEvent {
  id: string;
  created_at: number;
  level: "info" | "warn" | "error";
  message: string;
  type: "message" | "metrics";
  data: { step: number; total_steps: number; train_loss?: number; valid_loss?: number; eta_s?: number } | null;
}

export interface Checkpoint {
  fine_tuned_model_checkpoint: string;
  step_number: number;
}

export interface Rows<T> {
  data: T[];
  has_more: boolean;
}

const ENDED: ReadonlySet<JobStatus> = new Set(["succeeded", "failed", "cancelled"]);

export function hasEnded(job: Pick<Job, "status">): boolean {
  return ENDED.has(job.status);
}

/** The epoch that a step belongs to, counted from 1; 0 before the first step; null where each step reads all examples, again and again. */
export function epochOf({ counts, hyperparameters, progress }: Job, step: number): { epoch: number; epochs: number } | null {
  const batch = typeof hyperparameters.batch_size === "number" ? hyperparameters.batch_size : 1;
  const of = (steps: number) => (counts.examples > 0 ? Math.ceil((steps * batch) / counts.examples) : 0);
  const epochs = of(progress.total_steps);
  return epochs > progress.total_steps ? null : { epoch: of(step), epochs };
}

/** What its owner called it, or else what it is trained on. */
export function titleOf({ user_provided_suffix, model }: Pick<Job, "user_provided_suffix" | "model">): string {
  return user_provided_suffix || model;
}
