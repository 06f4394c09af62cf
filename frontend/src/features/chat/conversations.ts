/** Owns the conversations kept in this browser: their shape, their limit, their storage. */
import { load, save } from "@/shared/storage";

export interface Stats {
  tokens: number | null;
  tokensPerS: number | null;
  firstTokenMs: number | null;
}

export interface Message {
  id: string;
  role: "user" | "assistant";
  content: string;
  model?: string;
  stats?: Stats;
  /** The reader stopped the answer. */
  stopped?: boolean;
}

export interface Conversation {
  id: string;
  createdAt: number;
  messages: Message[];
}

const MOST_CONVERSATIONS = 50;

export function newId(): string {
  // crypto.randomUUID needs https or localhost; the page may be opened over plain http in a home network.
  return [...crypto.getRandomValues(new Uint8Array(9))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function newConversation(): Conversation {
  return { id: newId(), createdAt: Date.now(), messages: [] };
}

export function titleOf(conversation: Conversation): string {
  return conversation.messages.find((message) => message.role === "user")?.content.trim().slice(0, 60) ?? "";
}

export function loadConversations(userId: string): Conversation[] {
  const stored = load<Conversation[]>(`chat.${userId}`, []);
  return stored.length > 0 ? stored : [newConversation()];
}

export function saveConversations(userId: string, conversations: Conversation[]): void {
  const worthKeeping = conversations.filter((one) => one.messages.length > 0).slice(0, MOST_CONVERSATIONS);
  save(`chat.${userId}`, worthKeeping);
}
