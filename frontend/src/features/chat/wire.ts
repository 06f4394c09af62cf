/** The shapes of svc-chat's Responses and Conversations APIs, as far as the page reads them. */

export interface Conversation {
  id: string;
  created_at: number;
  updated_at: number;
  /** `metadata.title`, or what was said first; empty while nothing was said. */
  title: string;
  metadata: Record<string, string>;
  /** The response that is being written in it. */
  response_in_progress: string | null;
}

export interface Part {
  type: string;
  text?: string | null;
  refusal?: string;
  [more: string]: unknown;
}

export interface Item {
  id: string;
  type: string;
  role?: string;
  status?: string;
  content?: Part[];
  name?: string;
  arguments?: string;
  /** The response that the item was asked with or came from; null for one that was added by itself. */
  response_id?: string | null;
}

export type ResponseStatus = "queued" | "in_progress" | "completed" | "incomplete" | "cancelled" | "failed";

export interface ResponseBody {
  id: string;
  status: ResponseStatus;
  model: string;
  output: Item[];
  error?: { code?: string; message?: string; type?: string } | null;
  incomplete_details?: { reason?: string } | null;
  usage?: { output_tokens?: number } | null;
  timing?: { queue_ms?: number; run_ms?: number } | null;
  dropped_messages?: number;
}

export interface ServerEvent {
  type: string;
  sequence_number: number;
  response?: ResponseBody;
  item?: Item;
  delta?: string;
  code?: string | null;
  message?: string;
}
