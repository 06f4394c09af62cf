/** Owns how the progress of a job looks. */
import { Button, Group, Progress, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { JobProgress } from "../api/types";
import { formatNumber } from "../format";

export function JobBar({ progress, onCancel }: { progress: JobProgress | null; onCancel?: () => void }) {
  const { t, i18n } = useTranslation();
  const percent = progress?.percent ?? (progress?.total ? (100 * (progress.step ?? 0)) / progress.total : 0);
  const status = t(`jobs.${progress?.status ?? "queued"}`);
  const step = progress?.total ? t("jobs.step", { step: progress.step ?? 0, total: progress.total }) : null;
  const eta = progress?.eta_s && progress.status === "running"
    ? t("jobs.eta", { seconds: formatNumber(Math.ceil(progress.eta_s), i18n.language) }) : null;
  return (
    <div>
      <Group justify="space-between" gap="xs" mb={6}>
        <Text size="sm" aria-live="polite">{[status, step, eta].filter(Boolean).join(" · ")}</Text>
        {onCancel && <Button size="compact-xs" variant="default" onClick={onCancel}>{t("common.cancel")}</Button>}
      </Group>
      <Progress value={percent} animated={progress?.status !== "failed"} aria-label={status} />
    </div>
  );
}
