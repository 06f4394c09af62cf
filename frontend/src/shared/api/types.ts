/** The shapes of the gateway's answers that more than one feature reads. */

export interface Session {
  id: string;
  username: string;
  role: "owner" | "member";
  scopes: string[];
}

/** What the login form may offer; `oidc` is null where no provider is set. */
export interface LoginMethods {
  password: boolean;
  oidc: { name: string } | null;
}

export interface Model {
  id: string;
  task?: string;
  /** All that it does, its main task first. */
  tasks?: string[];
  builtin?: boolean;
  loaded?: boolean;
  license?: string;
  size_bytes?: number;
  languages?: string[];
  service?: string;
  owned_by?: string;
  alias_of?: string;
  /** What a request may choose with this model, by the request's fields; a field that is not there has no effect. */
  options?: Record<string, ModelOption>;
}

export interface ModelOption {
  default?: number | string;
  minimum?: number;
  maximum?: number;
  /** The range in which the model does well. */
  usual?: [number, number];
  choices?: string[];
  needs_guidance_above?: number;
}

export type JobStatus = "queued" | "loading" | "running" | "completed" | "failed" | "cancelled";

export interface JobProgress {
  status: JobStatus;
  step?: number | null;
  total?: number | null;
  percent?: number | null;
  eta_s?: number | null;
  message?: string | null;
  preview_url?: string | null;
}

export interface Job extends JobProgress {
  id: string;
  kind: string;
  result?: Record<string, unknown> | null;
  error?: { message?: string; code?: string } | string | null;
  created_at?: string | number;
  updated_at?: string | number;
}

export interface List<T> {
  data: T[];
}
