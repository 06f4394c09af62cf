/** Owns what is being brought from the hub: how far, how fast, and stopping it; also after the page was closed. */
import { Box, Button, Group, Progress, Text, Title } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { cancelJob, isFinal, useJobProgress, useJobs } from "../api/jobs";
import type { Job } from "../api/types";
import { ErrorNotice } from "./ErrorNotice";

const KIND = "model.install";
const LOOK_MS = 3000;

export function Installing({ active }: { active: boolean }) {
  const { t } = useTranslation();
  const told = (useJobs({ active, intervalMs: LOOK_MS }).data ?? []).filter((job) => job.kind === KIND);
  const [kept, setKept] = useState<Job[]>([]);
  // A service that starts again lists no jobs for a while; what it was installing stays until it says how that ended.
  const jobs = [...kept.filter((one) => told.every((job) => job.id !== one.id)), ...told].filter((job) => !isFinal(job));
  if (jobs.some((job) => kept.every((one) => one.id !== job.id))) setKept(jobs);
  const ended = (id: string) => setKept((all) => all.filter((one) => one.id !== id));
  if (jobs.length === 0) return null;
  return (
    <Box component="section" mb="lg" aria-label={t("models.installing")}>
      <Title order={2} fz={16} mb="sm">{t("models.installing")}</Title>
      <div className="rows">{jobs.map((job) => <Install key={job.id} job={job} onEnd={ended} />)}</div>
    </Box>
  );
}

function Install({ job, onEnd }: { job: Job; onEnd: (id: string) => void }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const { progress, error } = useJobProgress(job.id, () => {
    onEnd(job.id);
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
