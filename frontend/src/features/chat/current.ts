/** Owns which conversation this window shows: the window's own choice first, then the last one of this browser. */
import { useCallback, useState } from "react";
import { load, save } from "@/shared/storage";

/** `null` is a conversation that does not exist yet. */
export function useCurrent(userId: string): [string | null, (id: string | null) => void] {
  const key = `chat-current.${userId}`;
  const [id, setId] = useState<string | null>(() => ofWindow(key) ?? load<string | null>(key, null));
  const choose = useCallback((next: string | null) => {
    setId(next);
    save(key, next);
    try {
      sessionStorage.setItem(`oficina.${key}`, JSON.stringify(next));
    } catch {
      // Without storage the page forgets which conversation was open.
    }
  }, [key]);
  return [id, choose];
}

function ofWindow(key: string): string | null | undefined {
  try {
    const text = sessionStorage.getItem(`oficina.${key}`);
    return text ? (JSON.parse(text) as string | null) : undefined;
  } catch {
    return undefined;
  }
}
