/** Owns the badge of a training's state. */
import { Badge } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { JobStatus } from "./wire";

const COLOURS: Record<JobStatus, string> = { queued: "gray", running: "petrol", paused: "yellow", succeeded: "green", failed: "red", cancelled: "gray" };

export function TrainingState({ status }: { status: JobStatus }) {
  const { t } = useTranslation();
  return <Badge variant="light" size="sm" color={COLOURS[status]} data-training-state={status}>{t(`training.state.${status}`)}</Badge>;
}
