/** Owns what a training said, newest first. */
import { Text } from "@mantine/core";
import type { TFunction } from "i18next";
import { useTranslation } from "react-i18next";
import { formatNumber, formatTime } from "@/shared/format";
import type { JobEvent } from "./wire";

export function EventLog({ said }: { said: readonly JobEvent[] }) {
  const { t, i18n } = useTranslation();
  const sentence = ({ data, message }: JobEvent) =>
    data?.valid_loss === undefined ? wordsOf(message, t)
      : t(data.step === 0 ? "training.lookAtBase" : "training.look", { step: data.step, loss: formatNumber(data.valid_loss, i18n.language, 3) });
  return (
    <details className="fold">
      <summary>{t("training.events", { count: said.length })}</summary>
      <ul className="events">
        {said.toReversed().map((event) => (
          <li key={event.id} data-level={event.level}>
            <Text span size="xs" c="dimmed">{formatTime(event.created_at, i18n.language)}</Text> {sentence(event)}
          </li>
        ))}
      </ul>
    </details>
  );
}

/** The server's own sentences, by how they begin. */
const SENTENCES: readonly (readonly [string, string])[] = [
  ["Waiting for its turn", "queued"], ["Training started", "started"], ["Training goes on", "goesOn"], ["Checkpoint created", "checkpoint"],
  ["New fine-tuned model", "made"], ["Waiting to go on", "resumed"], ["Paused", "paused"], ["Cancelled", "cancelled"],
];

function wordsOf(message: string, t: TFunction): string {
  const key = SENTENCES.find(([start]) => message.startsWith(start))?.[1];
  return key ? t(`training.said.${key}`, { step: /step (\d+)/.exec(message)?.[1] ?? "" }) : message;
}
