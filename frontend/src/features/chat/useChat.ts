/** Owns the state of the chat: conversations, the answer being written, stopping, trying again. */
import { useCallback, useEffect, useRef, useState } from "react";
import { isAbort } from "@/shared/api/client";
import { useSession } from "@/shared/session";
import { streamCompletion } from "./completion";
import { loadConversations, newConversation, newId, saveConversations, type Conversation, type Message } from "./conversations";
import type { ChatSettings } from "./settings";

export interface Pending {
  conversationId: string;
  text: string;
}

export interface Failure {
  conversationId: string;
  error: unknown;
}

const FRAME_MS = 40;

export function useChat(settings: ChatSettings) {
  const { id: userId } = useSession();
  const [conversations, setConversations] = useState<Conversation[]>(() => loadConversations(userId));
  const [currentId, setCurrentId] = useState(() => conversations[0]!.id);
  const [pending, setPending] = useState<Pending | null>(null);
  const [failure, setFailure] = useState<Failure | null>(null);
  const abort = useRef<AbortController | null>(null);
  useEffect(() => saveConversations(userId, conversations), [userId, conversations]);

  const current = conversations.find((one) => one.id === currentId) ?? conversations[0]!;

  const setMessages = useCallback((id: string, messages: Message[]) => {
    setConversations((all) => all.map((one) => (one.id === id ? { ...one, messages } : one)));
  }, []);

  const answer = async (id: string, history: Message[]) => {
    const controller = new AbortController();
    abort.current = controller;
    setFailure(null);
    setPending({ conversationId: id, text: "" });
    const paint = throttle((text: string) => setPending({ conversationId: id, text }));
    try {
      const { content, ...rest } = await streamCompletion(settings, history, paint.call, controller.signal);
      setMessages(id, [...history, { id: newId(), role: "assistant", content, ...rest }]);
    } catch (error) {
      const content = paint.last();
      if (content) setMessages(id, [...history, { id: newId(), role: "assistant", content, stopped: true }]);
      if (!isAbort(error)) setFailure({ conversationId: id, error });
    } finally {
      paint.cancel();
      setPending(null);
    }
  };

  const send = (text: string) => {
    if (!text.trim() || pending) return false;
    const history: Message[] = [...current.messages, { id: newId(), role: "user", content: text.trim() }];
    setMessages(current.id, history);
    void answer(current.id, history);
    return true;
  };

  /** Answer the last question anew; a former answer to it is dropped. */
  const regenerate = () => {
    if (pending) return;
    const last = current.messages.findLastIndex((message) => message.role === "user");
    if (last < 0) return;
    const history = current.messages.slice(0, last + 1);
    setMessages(current.id, history);
    void answer(current.id, history);
  };

  const start = () => {
    const empty = conversations.find((one) => one.messages.length === 0);
    const fresh = empty ?? newConversation();
    if (!empty) setConversations((all) => [fresh, ...all]);
    setCurrentId(fresh.id);
  };

  const remove = (id: string) => {
    if (pending?.conversationId === id) abort.current?.abort();
    const left = conversations.filter((one) => one.id !== id);
    const kept = left.length > 0 ? left : [newConversation()];
    setConversations(kept);
    if (id === current.id) setCurrentId(kept[0]!.id);
  };

  const stop = () => abort.current?.abort();
  const dismiss = () => setFailure(null);
  return { conversations, current, pending, failure, send, regenerate, start, remove, stop, dismiss, choose: setCurrentId };
}

/** Paint at most once a frame: a fast model sends more tokens than a page can usefully draw. */
function throttle(paint: (text: string) => void) {
  let latest = "";
  let timer: ReturnType<typeof setTimeout> | null = null;
  return {
    call: (text: string) => {
      latest = text;
      timer ??= setTimeout(() => { timer = null; paint(latest); }, FRAME_MS);
    },
    last: () => latest,
    cancel: () => { if (timer) clearTimeout(timer); },
  };
}
