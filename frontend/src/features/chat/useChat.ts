/** Owns the state of the chat tab: which conversation is open, what happens in it, what the reader can do. */
import { useDocumentVisibility } from "@mantine/hooks";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState, useSyncExternalStore } from "react";
import { asApiError } from "@/shared/api/errors";
import { useSession } from "@/shared/session";
import { itemsNow, lookAgain, rememberMade, useConversation, useConversationChanges, useConversationList } from "./conversations";
import { useCurrent } from "./current";
import { lastQuestion } from "./messages";
import { usePersonas } from "@/shared/api/personas";
import { wishesOf, type ChatSettings } from "./settings";
import { Threads } from "./threads";
import { DRAFT, Unsent } from "./unsent";
import { lastUserItem, standsAmong, viewOf } from "./view";
import type { Item } from "./wire";

const NO_ITEMS: Item[] = [];

export function useChat(settings: ChatSettings, active: boolean) {
  const { id: userId } = useSession();
  const queries = useQueryClient();
  const [currentId, choose] = useCurrent(userId);
  const place = currentId ?? DRAFT;
  const tell = useOtherWindows();
  const [threads] = useState(() => new Threads(new Unsent(`chat-unsent.${userId}`), {
    made: (conversation) => {
      rememberMade(queries, conversation);
      choose(conversation.id);
    },
    changed: async (id) => {
      if (id === DRAFT) return true;
      tell(id);
      return lookAgain(queries, id);
    },
    stands: (id, question) => standsAmong(itemsNow(queries, id), question),
  }));
  const list = useConversationList(active);
  const opened = useConversation(currentId, active);
  const thread = useSyncExternalStore(threads.subscribe, () => threads.get(place));
  const items = opened.data?.items ?? NO_ITEMS;
  const running = opened.data?.conversation.response_in_progress ?? null;
  const view = viewOf(items, thread, running);
  const seen = useDocumentVisibility() === "visible";
  useEffect(() => threads.watch(seen ? currentId : null, running), [threads, seen, currentId, running]);
  useEffect(() => { if (view.accepted) threads.settle(place); }, [threads, view.accepted, place]);
  const lost = opened.isError && asApiError(opened.error).status === 404;
  useEffect(() => { if (lost) choose(null); }, [lost, choose]);
  const changes = useConversationChanges(tell);

  const personas = usePersonas().data;
  const chosen = currentId === null ? settings.persona : opened.data?.conversation.metadata.persona ?? null;
  // What is remembered may be gone from the server.
  const persona = personas && !personas.some((one) => one.id === chosen) ? null : chosen;
  const ask = (text: string, more: { replaces?: string[]; parts?: Parameters<typeof threads.send>[1]["parts"] } = {}) => {
    const replaces = more.replaces ?? [];
    const after = lastUserItem(itemsNow(queries, currentId).filter((item) => !replaces.includes(item.id)))?.id ?? null;
    const wishes = { body: wishesOf({ ...settings, persona }), metadata: persona ? { persona } : ({} as Record<string, string>) };
    void threads.send(place, { text, parts: more.parts, replaces, after }, wishes);
  };
  const free = view.pending === null && view.question === null && view.unsent === null && (currentId === null || opened.data !== undefined);

  const send = (text: string, replaces: string[] = []) => {
    if (!text.trim() || !free) return false;
    ask(text.trim(), { replaces });
    return true;
  };
  /** Answer the last question anew; a former answer to it is dropped. */
  const regenerate = () => {
    const last = lastQuestion(items);
    if (last && free) ask(last.text, { replaces: last.itemIds, parts: last.parts });
  };
  /** Ask again what was not taken; only the receipt may have been lost, so the server's items are looked at first. */
  const resend = async () => {
    const looked = currentId !== null && await lookAgain(queries, currentId);
    const { question, sending } = threads.get(place);
    if (!question || sending) return;
    if (looked && standsAmong(itemsNow(queries, currentId), question)) threads.settle(place);
    else ask(question.text, question);
  };
  /** Close what is said of an error; gives back the text of a question that was not taken. */
  const dismiss = () => {
    const { question, answer } = threads.get(place);
    threads.settle(place);
    return answer === null ? (question?.text ?? "") : "";
  };
  const remove = async (id: string) => {
    await changes.remove.mutateAsync(id);
    threads.forget(id);
    if (id === currentId) choose(null);
  };
  const setPersona = (next: string | null) => {
    if (opened.data) changes.change.mutate({ conversation: opened.data.conversation, part: { persona: next } });
  };
  return {
    list, opened, currentId, persona, view, items, free, choose, send, regenerate, resend: () => void resend(), remove, setPersona,
    rename: changes.change.mutateAsync, problem: changes.change.error, problemSolved: changes.change.reset,
    running: running !== null, stop: () => void threads.stop(place, running), dismiss,
    error: view.unsent ?? thread.error,
  };
}

export type Chat = ReturnType<typeof useChat>;

/** Tell this browser's other windows that a conversation changed, and hear it from them. */
function useOtherWindows(): (conversationId: string) => void {
  const queries = useQueryClient();
  const [channel] = useState(() => new BroadcastChannel("oficina.chat"));
  useEffect(() => {
    channel.onmessage = ({ data }: MessageEvent<unknown>) => { if (typeof data === "string") void lookAgain(queries, data); };
    return () => { channel.onmessage = null; };
  }, [channel, queries]);
  return (id) => channel.postMessage(id);
}
