/** Owns what is being brought from the hub: how far, how fast, and stopping it; also after the page was closed. */
import { Button, Group, Progress, Text, Title } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { cancelJob, isFinal, useJobProgress, useJobs } from "../api/jobs";
import type { Job } from "../api/types";
import { ErrorNotice } from "./ErrorNotice";

const KIND = "model.install";
const LOOK_MS = 3000;

export function Installing({ active }: { active: boolean }) {
  const { t } = useTranslation();
  const jobs = (useJobs({ active, intervalMs: LOOK_MS }).data ?? []).filter((job) => job.kind === KIND && !isFinal(job));
  if (jobs.length === 0) return null;
  return (
    <section aria-label={t("models.installing")}>
      <Title order={2} fz={16} mb="sm">{t("models.installing")}</Title>
      <div className="rows">{jobs.map((job) => <Install key={job.id} job={job} />)}</div>
    </section>
  );
}

function Install({ job }: { job: Job }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const { progress, error } = useJobProgress(job.id, () => {
    for (const key of ["models", "catalogue", "browser-models"]) void queries.invalidateQueries({ queryKey: [key] });
  });
  const percent = progress?.percent ?? job.percent ?? 0;
  const message = progress?.message ?? job.message ?? "";
  return (
    <div className="row" data-install={job.id}>
      <Group justify="space-between" wrap="nowrap" gap="xs" mb={6}>
        <Text size="sm" className="wrap" aria-live="polite">{Math.round(percent)} % · {message}</Text>
        <Button size="compact-xs" variant="default" onClick={() => void cancelJob(job.id)}>{t("models.pause")}</Button>
      </Group>
      <Progress value={percent} aria-label={message || t("models.installing")} />
      {error !== null && <ErrorNotice error={error} />}
    </div>
  );
}
