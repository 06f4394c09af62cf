/** Owns reading a conversation's items as the messages that are shown. Pure. */
import type { Item, Part } from "./wire";

export interface Message {
  id: string;
  role: "user" | "assistant" | "call";
  text: string;
  pictures: number;
  /** The model did not come to its end: the response says why. */
  incomplete: boolean;
  responseId: string | null;
}

/** Other programs may have put more into a conversation than this page does: calls are shown, instructions are not. */
export function messagesOf(items: Item[]): Message[] {
  return items.flatMap((item): Message[] => {
    const { id, type, role, status, content = [], response_id: responseId = null } = item;
    const shown = { id, pictures: content.filter((part) => part.type === "input_image").length, incomplete: status === "incomplete", responseId };
    if (type === "function_call") return [{ ...shown, role: "call", text: `${item.name}(${item.arguments})` }];
    if (type !== "message" || (role !== "user" && role !== "assistant")) return [];
    return [{ ...shown, role, text: textOf(content) }];
  });
}

export function textOf(content: Part[]): string {
  return content.map((part) => part.text ?? part.refusal ?? "").filter(Boolean).join("\n");
}

export interface LastQuestion {
  text: string;
  parts: Part[];
  /** Itself and everything after it. */
  itemIds: string[];
}

/** The last thing that the user said, to be asked anew or in other words. */
export function lastQuestion(items: Item[]): LastQuestion | null {
  const at = items.findLastIndex((item) => item.type === "message" && item.role === "user");
  if (at < 0) return null;
  const parts = items[at]!.content ?? [];
  return { text: textOf(parts), parts, itemIds: items.slice(at).map((item) => item.id) };
}
