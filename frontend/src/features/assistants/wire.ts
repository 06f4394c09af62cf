/** Owns the shapes of OpenAI's Assistants API as far as the page reads them. */

export interface Tool {
  type: "code_interpreter" | "file_search" | "function";
  function?: { name: string; description?: string; parameters?: unknown };
}

export interface ToolResources {
  code_interpreter?: { file_ids?: string[] };
  file_search?: { vector_store_ids?: string[] };
}

export interface Assistant {
  id: string;
  name: string | null;
  description: string | null;
  instructions: string | null;
  model: string;
  tools: Tool[];
  tool_resources?: ToolResources | null;
  created_at: number;
}

export interface Thread {
  id: string;
  created_at: number;
  metadata?: Record<string, string> | null;
}

export interface Annotation {
  type: "file_citation" | "file_path";
  text: string;
  file_citation?: { file_id: string; quote?: string };
  file_path?: { file_id: string };
}

export type ContentPart =
  | { type: "text"; text: { value: string; annotations: Annotation[] } }
  | { type: "image_file"; image_file: { file_id: string } }
  | { type: "image_url"; image_url: { url: string } }
  | { type: "refusal"; refusal: string };

export interface ThreadMessage {
  id: string;
  role: "user" | "assistant";
  status?: "in_progress" | "incomplete" | "completed";
  content: ContentPart[];
  run_id?: string | null;
  created_at: number;
  attachments?: { file_id?: string }[] | null;
}

export type RunStatus =
  | "queued" | "in_progress" | "requires_action" | "cancelling" | "cancelled" | "failed" | "completed" | "incomplete" | "expired";

export interface FunctionCall {
  id: string;
  type: "function";
  function: { name: string; arguments: string };
}

export interface Run {
  id: string;
  thread_id: string;
  assistant_id: string;
  status: RunStatus;
  created_at: number;
  expires_at?: number | null;
  model?: string;
  last_error?: { code: string; message: string } | null;
  incomplete_details?: { reason?: string } | null;
  required_action?: { type: string; submit_tool_outputs: { tool_calls: FunctionCall[] } } | null;
  usage?: { prompt_tokens: number; completion_tokens: number; total_tokens: number } | null;
}

export interface StepCall {
  id?: string;
  type: "code_interpreter" | "file_search" | "function";
  code_interpreter?: { input?: string; outputs?: ({ type: "logs"; logs?: string } | { type: "image"; image?: { file_id: string } })[] };
  file_search?: { results?: { file_name?: string; score?: number }[] };
  function?: { name?: string; arguments?: string; output?: string | null };
}

export interface RunStep {
  id: string;
  run_id: string;
  type: "message_creation" | "tool_calls";
  status: "in_progress" | "cancelled" | "failed" | "completed" | "expired";
  step_details: { type: "message_creation" } | { type: "tool_calls"; tool_calls: StepCall[] };
  last_error?: { code: string; message: string } | null;
}

export interface StoredFile {
  id: string;
  filename: string;
  bytes: number;
  purpose: string;
}

export interface ListPage<T> {
  data: T[];
  has_more?: boolean;
}

const ACTIVE: ReadonlySet<RunStatus> = new Set(["queued", "in_progress", "requires_action", "cancelling"]);

export function isActive(run: Pick<Run, "status">): boolean {
  return ACTIVE.has(run.status);
}

export function contentUrl(fileId: string): string {
  return `/v1/files/${encodeURIComponent(fileId)}/content`;
}
