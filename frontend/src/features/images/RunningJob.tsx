/** Owns a picture being drawn: its steps, its preview, calling it off. */
import { Text } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { cancelJob, errorOfJob, useJobProgress } from "@/shared/api/jobs";
import type { Job } from "@/shared/api/types";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { Icon } from "@/shared/components/Icon";
import { JobBar } from "@/shared/components/JobBar";
import { promptOf } from "./imageJobs";

export function RunningJob({ job, onFailed }: { job: Job; onFailed: (error: unknown) => void }) {
  const { t } = useTranslation();
  const [cancelError, setCancelError] = useState<unknown>(null);
  const { progress, error } = useJobProgress(job.id, (final) => {
    if (final.status === "failed") onFailed(errorOfJob(final, "images"));
  });
  const now = progress ?? job;
  return (
    <article className="card running" aria-label={promptOf(job) || t("images.drawing")}>
      <div className="running-preview">
        {now.preview_url ? <img src={now.preview_url} alt={t("images.preview")} /> : <Icon name="images" size={28} />}
      </div>
      <div className="running-text">
        <Text size="sm" fw={500} lineClamp={2}>{promptOf(job) || t("images.drawing")}</Text>
        <JobBar progress={now} onCancel={() => void cancelJob(job.id).catch(setCancelError)} />
        {(error ?? cancelError) !== null && <ErrorNotice error={error ?? cancelError} />}
      </div>
    </article>
  );
}
