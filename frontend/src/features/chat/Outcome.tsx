/** Owns saying that the last question has no whole answer, why, and asking it again. */
import { Button, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { Icon } from "@/shared/components/Icon";
import { failureOf } from "./answer";
import { useResponse } from "./conversations";
import type { Message } from "./messages";

export function Outcome({ messages, onRetry }: { messages: Message[]; onRetry: () => void }) {
  const { t } = useTranslation();
  const last = messages.at(-1);
  const unanswered = last?.role === "user";
  const response = useResponse(unanswered || last?.incomplete ? (last?.responseId ?? null) : null);
  const failure = failureOf(response.data);
  if (failure) return <ErrorNotice error={failure} onRetry={onRetry} />;
  if (!unanswered || response.isLoading) return null;
  return (
    <div className="outcome">
      <Text size="sm" c="dimmed">{t(response.data?.status === "cancelled" ? "chat.stoppedEarly" : "chat.unanswered")}</Text>
      <Button size="compact-sm" variant="default" leftSection={<Icon name="refresh" size={15} />} onClick={onRetry}>{t("chat.regenerate")}</Button>
    </div>
  );
}
