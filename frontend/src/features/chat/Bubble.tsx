/** Owns how one message looks, and the answer that is being written. */
import { ActionIcon, Group, Loader, Text, Tooltip } from "@mantine/core";
import { memo } from "react";
import { useTranslation } from "react-i18next";
import { CopyButton } from "@/shared/components/CopyButton";
import { Icon, type IconName } from "@/shared/components/Icon";
import { Markdown } from "@/shared/components/Markdown";
import { formatNumber } from "@/shared/format";
import { statsOf } from "./answer";
import { useResponse } from "./conversations";
import type { Message } from "./messages";
import type { Pending } from "./view";
import type { ResponseBody } from "./wire";

interface Props {
  message: Message;
  /** Whether to say how the answer was made. */
  explained: boolean;
  onRegenerate?: () => void;
  onEdit?: () => void;
}

export const Bubble = memo(function Bubble({ message, explained, onRegenerate, onEdit }: Props) {
  const { t } = useTranslation();
  const response = useResponse(explained && message.role === "assistant" ? message.responseId : null).data;
  const foot = useFootText(message, response);
  if (message.role === "call") return <Text size="xs" c="dimmed" ff="monospace" className="wrap">{t("chat.call")}: {message.text}</Text>;
  if (message.role === "user") {
    return (
      <div className="asked">
        <div className="bubble user" data-role="user">
          {message.text}
          {message.pictures > 0 && <Text size="xs" mt={4}>{t("chat.pictures", { count: message.pictures })}</Text>}
        </div>
        {onEdit && <FootButton icon="edit" label={t("chat.edit")} onClick={onEdit} />}
      </div>
    );
  }
  return (
    <div className="bubble bot" data-role="assistant">
      <Markdown text={message.text} />
      <Group gap={4} className="bubble-foot" wrap="nowrap">
        <CopyButton text={message.text} />
        {onRegenerate && <FootButton icon="refresh" label={t("chat.regenerate")} onClick={onRegenerate} />}
        <Text size="xs" c="dimmed">{foot}</Text>
      </Group>
    </div>
  );
});

function FootButton({ icon, label, onClick }: { icon: IconName; label: string; onClick: () => void }) {
  return (
    <Tooltip label={label}>
      <ActionIcon variant="subtle" color="gray" size="sm" onClick={onClick} aria-label={label}><Icon name={icon} size={16} /></ActionIcon>
    </Tooltip>
  );
}

export function PendingBubble({ pending: { state, text, connected } }: { pending: Pending }) {
  const { t } = useTranslation();
  return (
    <div className="bubble bot" data-role="assistant" data-pending={state}>
      {text ? <Markdown text={text} /> : <span className="thinking">{state === "queued" ? t("chat.queued") : t("chat.thinking")}</span>}
      {!connected && (
        <Group gap={8} mt={6} role="status" wrap="nowrap">
          <Loader size={12} />
          <Text size="xs" c="dimmed">{t("chat.reconnecting")}</Text>
        </Group>
      )}
    </div>
  );
}

const NOTEWORTHY_QUEUE_S = 1;

function useFootText(message: Message, response: ResponseBody | undefined): string {
  const { t, i18n } = useTranslation();
  const number = (value: number, digits = 0) => formatNumber(value, i18n.language, digits);
  const stats = response ? statsOf(response) : null;
  const dropped = response?.dropped_messages ?? 0;
  return [
    message.incomplete && t(endKey(response)),
    stats?.tokens && t("chat.tokens", { count: stats.tokens, shown: number(stats.tokens) }),
    stats?.tokensPerS && t("chat.speed", { speed: number(stats.tokensPerS, stats.tokensPerS < 10 ? 1 : 0) }),
    stats?.queueS && stats.queueS > NOTEWORTHY_QUEUE_S && t("chat.waited", { seconds: number(stats.queueS, 0) }),
    dropped > 0 && t("chat.dropped", { count: dropped }),
    response?.model,
  ].filter(Boolean).join(" · ");
}

function endKey(response: ResponseBody | undefined): string {
  if (response?.status === "cancelled") return "chat.stopped";
  return response?.incomplete_details?.reason === "max_output_tokens" ? "chat.cut" : "chat.unfinished";
}
