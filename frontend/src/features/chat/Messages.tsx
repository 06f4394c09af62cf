/** Owns the bubbles and the scrolling: the end stays in sight unless the reader went up. */
import { ActionIcon, Group, Text, Tooltip } from "@mantine/core";
import { memo, useEffect, useLayoutEffect, useRef, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { CopyButton } from "@/shared/components/CopyButton";
import { Icon } from "@/shared/components/Icon";
import { Markdown } from "@/shared/components/Markdown";
import { formatNumber } from "@/shared/format";
import type { Message } from "./conversations";

interface Props {
  conversationId: string;
  messages: Message[];
  /** The answer being written; an empty text is "Thinking ...", null is none. */
  pending: string | null;
  onRegenerate: () => void;
  empty: ReactNode;
  children?: ReactNode;
}

const NEAR_END_PX = 80;

export function Messages({ conversationId, messages, pending, onRegenerate, empty, children }: Props) {
  const { t } = useTranslation();
  const box = useRef<HTMLDivElement>(null);
  const follow = useRef(true);
  const last = messages.at(-1);
  // A new question, or another conversation, always shows its end.
  useEffect(() => { follow.current = true; }, [conversationId]);
  useLayoutEffect(() => {
    if (last?.role === "user" && pending === "") follow.current = true;
    if (follow.current && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [messages, pending, children, conversationId, last]);
  const scrolled = () => {
    const { scrollTop, scrollHeight, clientHeight } = box.current!;
    follow.current = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
  };
  if (messages.length === 0 && pending === null) return <div className="messages" data-empty>{empty}{children}</div>;
  return (
    <div className="messages" ref={box} onScroll={scrolled} tabIndex={0} role="log" aria-label={t("chat.messages")} aria-busy={pending !== null}>
      <div className="messages-inner">
        {messages.map((message) => (
          <Bubble key={message.id} message={message} onRegenerate={message === last && pending === null ? onRegenerate : undefined} />
        ))}
        {pending !== null && (
          <div className="bubble bot" data-role="assistant" data-pending>
            {pending ? <Markdown text={pending} /> : <span className="thinking">{t("chat.thinking")}</span>}
          </div>
        )}
        {children}
      </div>
    </div>
  );
}

const Bubble = memo(function Bubble({ message, onRegenerate }: { message: Message; onRegenerate?: () => void }) {
  const { t } = useTranslation();
  const foot = useFootText(message);
  if (message.role === "user") return <div className="bubble user" data-role="user">{message.content}</div>;
  return (
    <div className="bubble bot" data-role="assistant">
      <Markdown text={message.content} />
      <Group gap={4} className="bubble-foot">
        <CopyButton text={message.content} />
        {onRegenerate && (
          <Tooltip label={t("chat.regenerate")}>
            <ActionIcon variant="subtle" color="gray" size="sm" onClick={onRegenerate} aria-label={t("chat.regenerate")}><Icon name="refresh" size={16} /></ActionIcon>
          </Tooltip>
        )}
        <Text size="xs" c="dimmed">{foot}</Text>
      </Group>
    </div>
  );
});

function useFootText(message: Message): string {
  const { t, i18n } = useTranslation();
  const { stats } = message;
  const number = (value: number, digits = 0) => formatNumber(value, i18n.language, digits);
  return [
    message.stopped && t("chat.stopped"),
    stats?.tokens && t("chat.tokens", { count: stats.tokens, shown: number(stats.tokens) }),
    stats?.tokensPerS && t("chat.speed", { speed: number(stats.tokensPerS, stats.tokensPerS < 10 ? 1 : 0) }),
    message.model,
  ].filter(Boolean).join(" · ");
}
