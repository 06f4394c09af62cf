/** Owns saying how a run stands: waiting, at work, over, and why it did not end well. */
import { Group, Loader, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { formatNumber } from "@/shared/format";
import { isActive, type Run } from "./wire";

export function RunState({ run, quiet }: { run: Run; quiet: boolean }) {
  const { t, i18n } = useTranslation();
  if (run.status === "completed") {
    const tokens = run.usage?.total_tokens;
    return tokens ? <Text size="xs" c="dimmed" data-run={run.status}>{[t("chat.tokens", { count: tokens, shown: formatNumber(tokens, i18n.language) }), run.model].filter(Boolean).join(" · ")}</Text> : null;
  }
  const why = run.last_error?.message ?? (run.incomplete_details?.reason ? t("assistants.cut") : null);
  return (
    <Group gap={8} role="status" wrap="nowrap" data-run={run.status}>
      {isActive(run) && run.status !== "requires_action" && !quiet && <Loader size={14} />}
      <Text size="sm" c={isActive(run) ? "dimmed" : undefined} className={run.status === "in_progress" ? "thinking" : undefined}>
        {[t(`assistants.run.${run.status}`), why].filter(Boolean).join(": ")}
      </Text>
    </Group>
  );
}
