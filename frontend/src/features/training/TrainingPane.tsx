/** Owns one training: where it is, how it went, what can be done with it. */
import { Alert, Button, Group, Progress, Stack, Text, Title } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { ConfirmDialog } from "@/shared/components/ConfirmDialog";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { Icon } from "@/shared/components/Icon";
import { formatDate, formatSpan } from "@/shared/format";
import type { Course } from "./course";
import { EventLog } from "./EventLog";
import { useRefresh, useTrainingChanges } from "./jobs";
import { LossCurve } from "./LossCurve";
import { Result } from "./Result";
import { TrainingState } from "./TrainingState";
import { useCourse } from "./useCourse";
import { epochOf, hasEnded, titleOf, type Job } from "./wire";

export function TrainingPane({ job, active }: { job: Job; active: boolean }) {
  const { t, i18n } = useTranslation();
  const { course, error } = useCourse(job.id, active, useRefresh());
  const begun = course.train.length + course.held.length > 0;
  return (
    <article className="card" aria-labelledby={`training-${job.id}`} data-training-pane={job.id}>
      <Stack gap="md">
        <Group justify="space-between" align="flex-start" gap="sm">
          <div className="wrap">
            <Group gap="xs"><Title order={2} fz={17} id={`training-${job.id}`} className="wrap">{titleOf(job)}</Title><TrainingState status={job.status} /></Group>
            <Text size="sm" c="dimmed" mt={2}>{t("training.of", { model: job.model, date: formatDate(job.created_at, i18n.language), count: job.counts.examples })}</Text>
          </div>
          <Actions job={job} />
        </Group>
        {error !== null && <ErrorNotice error={error} />}
        {job.error && <Alert className="notice" variant="default" icon={<Icon name="alert" />} role="alert"><Text size="sm">{t(`training.failed`)} {t(`errors.${job.error.code}`, { defaultValue: "", service: t("services.chat") })}</Text><Text size="xs" c="dimmed" className="wrap">{job.error.message}</Text></Alert>}
        {!hasEnded(job) && <Where job={job} course={course} />}
        {job.status === "cancelled" && <Text size="sm">{t("training.cancelledText")}</Text>}
        {job.status === "succeeded" && <Result job={job} />}
        {begun && <LossCurve course={course} totalSteps={job.progress.total_steps} />}
        {course.said.length > 0 && <EventLog said={course.said} />}
      </Stack>
    </article>
  );
}

function Where({ job, course }: { job: Job; course: Course }) {
  const { t } = useTranslation();
  const total = job.progress.total_steps;
  const step = Math.max(job.progress.step, course.step);
  const epoch = epochOf(job, step);
  const left = job.status === "running" ? (course.etaS ?? job.progress.eta_s) : null;
  const facts = [
    job.status === "running" && step === 0 ? t("training.preparing") : t("jobs.step", { step, total }),
    epoch && t("training.epoch", { ...epoch }), left === null ? null : t("training.left", { time: formatSpan(left) }),
  ];
  return (
    <div data-training-step={step}>
      <Text size="sm" mb={6}>{facts.filter(Boolean).join(" · ")}</Text>
      <Progress value={(100 * step) / Math.max(1, total)} animated={job.status === "running"} aria-label={t("training.progress")} />
      <Text size="xs" c="dimmed" mt={6} aria-live="polite">{t(`training.meaning.${job.status}`)} {job.waiting && t(`errors.${job.waiting.code}`, { defaultValue: job.waiting.message })}</Text>
    </div>
  );
}

function Actions({ job }: { job: Job }) {
  const { t } = useTranslation();
  const { act } = useTrainingChanges();
  const [ending, setEnding] = useState(false);
  if (hasEnded(job)) return null;
  const resting = job.status === "paused";
  return (
    <Stack gap={6} align="flex-end">
      <Group gap="xs">
        <Button size="xs" variant="default" loading={act.isPending && act.variables.what !== "cancel"} onClick={() => act.mutate({ id: job.id, what: resting ? "resume" : "pause" })}>
          {t(resting ? "training.resume" : "training.pause")}
        </Button>
        <Button size="xs" variant="light" color="red" onClick={() => setEnding(true)}>{t("training.end")}</Button>
      </Group>
      {act.error && !ending && <ErrorNotice error={act.error} onClose={act.reset} />}
      {ending && (
        <ConfirmDialog title={t("training.endTitle")} text={t("training.endText")} label={t("training.end")} onClose={() => { setEnding(false); act.reset(); }}
          onConfirm={() => act.mutateAsync({ id: job.id, what: "cancel" })} />
      )}
    </Stack>
  );
}
