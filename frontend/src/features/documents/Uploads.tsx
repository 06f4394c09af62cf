/** Owns bringing documents in: sending with progress, then the steps of indexing. */
import { ActionIcon, Group, Progress, Stack, Text } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { isAbort, upload } from "@/shared/api/client";
import { ApiError } from "@/shared/api/errors";
import { isFinal, useJobProgress } from "@/shared/api/jobs";
import type { Job } from "@/shared/api/types";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { FileDrop } from "@/shared/components/FileDrop";
import { Icon } from "@/shared/components/Icon";
import { JobBar } from "@/shared/components/JobBar";

const ACCEPT = ".pdf,.docx,.pptx,.xlsx,.html,.htm,.md,.txt,.csv";

interface Sent {
  id: number;
  file: File;
}

export function Uploads({ active }: { active: boolean }) {
  const { t } = useTranslation();
  const [sent, setSent] = useState<Sent[]>([]);
  const count = useRef(0);
  const add = (files: File[]) => setSent((now) => [...files.map((file) => ({ id: ++count.current, file })), ...now]);
  return (
    <Stack gap="sm">
      <FileDrop icon="documents" label={t("documents.drop")} hint={t("documents.dropHint")} accept={ACCEPT} multiple pasteActive={active} onFiles={add} />
      {sent.map((one) => <Upload key={one.id} file={one.file} onClose={() => setSent((now) => now.filter((other) => other.id !== one.id))} />)}
    </Stack>
  );
}

function Upload({ file, onClose }: { file: File; onClose: () => void }) {
  const { t } = useTranslation();
  const [part, setPart] = useState(0);
  const [job, setJob] = useState<Job | null>(null);
  const [error, setError] = useState<unknown>(null);
  const queries = useQueryClient();
  useEffect(() => {
    const controller = new AbortController();
    const form = new FormData();
    form.append("file", file, file.name);
    // A tick later, because React may mount twice and a document must be sent once.
    const timer = setTimeout(() => {
      upload<Job>("/v1/documents", form, setPart, controller.signal)
        .then(async (answer) => { setJob(answer); await queries.invalidateQueries({ queryKey: ["documents"] }); })
        .catch((reason: unknown) => isAbort(reason) || setError(reason));
    }, 0);
    return () => { clearTimeout(timer); controller.abort(); };
  }, [file, queries]);
  return (
    <article className="card" aria-label={file.name}>
      <Group justify="space-between" wrap="nowrap" mb={6}>
        <Text size="sm" fw={500} className="ellipsis">{file.name}</Text>
        <ActionIcon variant="subtle" color="gray" size="sm" onClick={onClose} aria-label={t("common.close")}><Icon name="close" size={15} /></ActionIcon>
      </Group>
      {error !== null ? <ErrorNotice error={error} /> : job ? <Indexing job={job} onDone={onClose} onFailed={setError} /> : (
        <>
          <Text size="xs" c="dimmed" mb={4}>{t("documents.sending", { percent: Math.round(100 * part) })}</Text>
          <Progress value={100 * part} aria-label={t("documents.sending", { percent: Math.round(100 * part) })} />
        </>
      )}
    </article>
  );
}

function Indexing({ job, onDone, onFailed }: { job: Job; onDone: () => void; onFailed: (error: unknown) => void }) {
  const queries = useQueryClient();
  const { progress, error } = useJobProgress(job.id, (final) => {
    void queries.invalidateQueries({ queryKey: ["documents"] });
    if (final.status === "completed") return onDone();
    const told = typeof final.error === "string" ? { message: final.error } : final.error;
    onFailed(new ApiError(told?.message ?? final.message ?? "", told?.code ?? "job_failed", 500, "documents"));
  });
  const now = progress ?? job;
  return (
    <>
      <JobBar progress={now} />
      {now.message && !isFinal(now) && <Text size="xs" c="dimmed" mt={4}>{now.message}</Text>}
      {error !== null && <ErrorNotice error={error} />}
    </>
  );
}
