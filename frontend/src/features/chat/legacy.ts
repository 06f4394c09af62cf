/**
 * Owns conversations that an earlier version of the page kept in this browser only, and bringing them to the
 * server. What is brought is removed here one conversation at a time; what is not stays.
 */
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/shared/api/client";
import { load, save } from "@/shared/storage";
import type { Conversation } from "./wire";

export interface LegacyConversation {
  id: string;
  createdAt: number;
  messages: { role: "user" | "assistant"; content: string }[];
}

const ITEMS_AT_ONCE = 20;
const keyOf = (userId: string) => `chat.${userId}`;

export function loadLegacy(userId: string): LegacyConversation[] {
  return load<LegacyConversation[]>(keyOf(userId), []).filter((one) => one.messages.length > 0);
}

/** Bring them one by one, oldest first, so that the newest is on top of the list. Rejects at the first that fails. */
export async function bringAll(userId: string): Promise<void> {
  for (const one of loadLegacy(userId).toSorted((a, b) => a.createdAt - b.createdAt)) {
    await bring(one);
    save(keyOf(userId), loadLegacy(userId).filter((other) => other.id !== one.id));
  }
}

async function bring({ messages }: LegacyConversation): Promise<void> {
  const items = messages.filter(({ content }) => content.trim()).map(({ role, content }) => ({ type: "message", role, content }));
  const { id } = await api<Conversation>("/v1/conversations", { method: "POST", json: { items: items.slice(0, ITEMS_AT_ONCE) } });
  try {
    for (let at = ITEMS_AT_ONCE; at < items.length; at += ITEMS_AT_ONCE) {
      await api(`/v1/conversations/${id}/items`, { method: "POST", json: { items: items.slice(at, at + ITEMS_AT_ONCE) } });
    }
  } catch (error) {
    // Half a conversation would come twice with the next try.
    await api(`/v1/conversations/${id}`, { method: "DELETE" }).catch(() => undefined);
    throw error;
  }
}

export function useLegacy(userId: string) {
  const queries = useQueryClient();
  const [count, setCount] = useState(() => loadLegacy(userId).length);
  const [offered, setOffered] = useState(() => load(`chat-import-declined.${userId}`, false));
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const bringThem = async () => {
    setBusy(true);
    setError(null);
    await bringAll(userId).catch(setError);
    setBusy(false);
    setCount(loadLegacy(userId).length);
    await queries.invalidateQueries({ queryKey: ["conversations"] });
  };
  const later = () => {
    save(`chat-import-declined.${userId}`, true);
    setOffered(true);
  };
  return { count, offer: count > 0 && !offered, busy, error, bring: () => void bringThem(), later };
}

export type Legacy = ReturnType<typeof useLegacy>;
