/** Owns which embedder the documents are indexed with, and a move of all of them to another: how far, resting, giving up. */
import { Box, Button, Group, Progress, Select, Stack, Text, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "@/shared/api/client";
import type { ApiError } from "@/shared/api/errors";
import { cancelJob, errorOfJob } from "@/shared/api/jobs";
import { modelsFor } from "@/shared/api/models";
import type { Job, Model } from "@/shared/api/types";
import { ErrorNotice } from "@/shared/components/ErrorNotice";

interface Move { job_id: string; model: string; paused: boolean; step: number; total: number; percent: number; eta_s: number | null }
interface State { model: string; moving: Move | null }

const LOOK_MS = 2000;

/** Shown once there is an embedder to choose beside the one that comes with the service. */
export function Embedder({ active, models }: { active: boolean; models: Model[] }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const names = modelsFor(models, "embedding").map((model) => model.id);
  const state = useQuery({
    queryKey: ["embedder"], queryFn: () => api<State>("/v1/embedder"), enabled: active && names.length > 1, refetchInterval: LOOK_MS,
  });
  const onSettled = async () => { for (const key of ["embedder", "models"]) await queries.invalidateQueries({ queryKey: [key] }); };
  const move = useMutation({ mutationFn: (model: string) => api("/v1/embedder", { method: "POST", json: { model } }), onSettled });
  const rest = useMutation({ mutationFn: (paused: boolean) => api(`/v1/embedder/${paused ? "pause" : "resume"}`, { method: "POST" }), onSettled });
  const stop = useMutation({ mutationFn: (id: string) => cancelJob(id), onSettled });
  const ended = useEnd(state.data?.moving?.job_id ?? null);
  if (names.length < 2 || !state.data) return null;
  const { model, moving } = state.data;
  const failed = move.error ?? rest.error ?? stop.error ?? ended.error;
  return (
    <Box component="section" mb="lg" aria-label={t("models.embedder.title")}>
      <Title order={2} fz={16} mb="sm">{t("models.embedder.title")}</Title>
      <Stack gap="sm">
        {moving ? (
          <div className="row" data-move={moving.job_id}>
            <Group justify="space-between" wrap="nowrap" gap="xs" mb={6}>
              <Text size="sm" className="wrap" aria-live="polite">{Math.round(moving.percent)} % · {told(moving, t)}</Text>
              <Group gap="xs" wrap="nowrap">
                <Button size="compact-xs" variant="default" onClick={() => rest.mutate(!moving.paused)}>{t(moving.paused ? "models.embedder.resume" : "models.pause")}</Button>
                <Button size="compact-xs" variant="subtle" color="red" onClick={() => stop.mutate(moving.job_id)}>{t("common.cancel")}</Button>
              </Group>
            </Group>
            <Progress value={moving.percent} aria-label={t("models.embedder.title")} />
          </div>
        ) : (
          <Select maw={360} label={t("models.embedder.inUse")} description={t("models.embedder.text")} data={names} value={model} allowDeselect={false} disabled={move.isPending}
            onChange={(chosen) => { if (chosen && chosen !== model) move.mutate(chosen); }} />
        )}
        {failed && <ErrorNotice error={failed} onClose={() => { for (const one of [move, rest, stop, ended]) one.reset(); }} />}
      </Stack>
    </Box>
  );
}

/** Why the move that was seen last broke off, if it did: it is gone from the state then. */
function useEnd(running: string | null): { error: ApiError | null; reset: () => void } {
  const [last, setLast] = useState<string | null>(null);
  useEffect(() => { if (running) setLast(running); }, [running]);
  const job = useQuery({ queryKey: ["embedder", "ended", last], queryFn: () => api<Job>(`/v1/jobs/${last}`), enabled: last !== null && running === null });
  const failed = last !== null && running === null && job.data?.status === "failed" ? job.data : null;
  return { error: failed && errorOfJob(failed, "documents"), reset: () => setLast(null) };
}

function told(moving: Move, t: (key: string, values?: Record<string, unknown>) => string): string {
  const far = t("models.embedder.far", { model: moving.model, step: moving.step, total: moving.total });
  if (moving.paused) return `${far} · ${t("models.embedder.paused")}`;
  return moving.eta_s === null ? far : `${far} · ${t("models.embedder.left", { minutes: Math.max(1, Math.ceil(moving.eta_s / 60)) })}`;
}
