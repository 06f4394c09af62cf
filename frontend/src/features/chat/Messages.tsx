/** Owns the bubbles' order and the scrolling: the end stays in sight unless the reader went up. */
import { ActionIcon, Center, Loader, Tooltip } from "@mantine/core";
import { useEffect, useLayoutEffect, useRef, useState, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Icon } from "@/shared/components/Icon";
import { Bubble, PendingBubble } from "./Bubble";
import type { View } from "./view";

interface Props {
  conversationId: string | null;
  view: View;
  loading: boolean;
  onRegenerate?: () => void;
  onEdit?: () => void;
  empty: ReactNode;
  /** What is said below the last bubble. */
  children: ReactNode;
}

const NEAR_END_PX = 80;
/** How an answer was made is asked for the newest ones only: one call each. */
const EXPLAINED = 10;

export function Messages({ conversationId, view, loading, onRegenerate, onEdit, empty, children }: Props) {
  const { t } = useTranslation();
  const { messages, question, pending, unsent } = view;
  const box = useRef<HTMLDivElement>(null);
  const follow = useRef(true);
  const [away, setAway] = useState(false);
  const asked = question?.text;
  // A new question, or another conversation, always shows its end.
  useEffect(() => { follow.current = true; }, [conversationId]);
  useLayoutEffect(() => {
    if (asked !== undefined) follow.current = true;
  }, [asked]);
  useLayoutEffect(() => {
    if (follow.current && box.current) box.current.scrollTop = box.current.scrollHeight;
  });
  const inner = useRef<HTMLDivElement>(null);
  const there = messages.length > 0 || question !== null || pending !== null;
  // What grows by itself, such as a notice that counts down, keeps the end in sight too.
  useEffect(() => {
    if (!inner.current) return;
    const watch = new ResizeObserver(() => { if (follow.current && box.current) box.current.scrollTop = box.current.scrollHeight; });
    watch.observe(inner.current);
    return () => watch.disconnect();
  }, [there, loading]);
  const scrolled = () => {
    const { scrollTop, scrollHeight, clientHeight } = box.current!;
    follow.current = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
    setAway(!follow.current);
  };
  const toEnd = () => box.current!.scrollTo({ top: box.current!.scrollHeight });
  if (loading && !question) return <div className="messages" data-empty><Center><Loader size="sm" /></Center></div>;
  if (!there) return <div className="messages" data-empty>{empty}{children}</div>;
  const lastUser = messages.findLastIndex((message) => message.role === "user");
  return (
    <div className="messages-frame">
      <div className="messages" ref={box} onScroll={scrolled} tabIndex={0} role="log" aria-label={t("chat.messages")} aria-busy={pending !== null}>
        <div className="messages-inner" ref={inner}>
          {messages.map((message, at) => (
            <Bubble key={message.id} message={message} explained={at >= messages.length - EXPLAINED}
              onRegenerate={at === messages.length - 1 && message.role === "assistant" ? onRegenerate : undefined}
              onEdit={at === lastUser && message.pictures === 0 ? onEdit : undefined} />
          ))}
          {question && <div className="bubble user" data-role="user" data-unsent={unsent !== null || undefined}>{question.text}</div>}
          {pending && <PendingBubble pending={pending} />}
          {children}
        </div>
      </div>
      {away && (
        <Tooltip label={t("chat.toEnd")}>
          <ActionIcon className="to-end" variant="default" radius="xl" size={36} onClick={toEnd} aria-label={t("chat.toEnd")}><Icon name="down" /></ActionIcon>
        </Tooltip>
      )}
    </div>
  );
}
