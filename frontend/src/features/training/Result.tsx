/** Owns what came of a training: what was measured and what that says, trying it, using it, deleting it. */
import { Button, Group, Loader, Stack, Text, Title } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { errorOf, presenceOf } from "@/shared/api/lists";
import { useModels } from "@/shared/api/models";
import { ConfirmDialog } from "@/shared/components/ConfirmDialog";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { Icon } from "@/shared/components/Icon";
import { formatNumber, formatSpan } from "@/shared/format";
import { certaintyOf } from "./curve";
import { useTrainingChanges } from "./jobs";
import { TryOut } from "./TryOut";
import type { Job, Measured as Numbers } from "./wire";

export function Result({ job }: { job: Job }) {
  const { t } = useTranslation();
  const models = useModels();
  const { removeModel } = useTrainingChanges();
  const [deleting, setDeleting] = useState(false);
  const made = job.fine_tuned_model;
  if (made === null) return null;
  // While svc-chat tells nothing, nobody knows.
  const here = models.missing.includes("chat") ? undefined : models.data?.some(({ id }) => id === made);
  const lost = presenceOf(models, 0, "chat") === "failed";
  return (
    <Stack gap="md" data-trained={made}>
      <div>
        <Text size="sm" fw={600} className="wrap">{made}</Text>
        {here === undefined && (lost ? <ErrorNotice error={errorOf(models, "chat")} onRetry={() => void models.refetch()} /> : <Loader size="xs" />)}
        {here === false && <Text size="sm" c="dimmed">{t("training.gone")}</Text>}
      </div>
      {here && (
        <Group gap="xs">
          <Button component="a" size="xs" href={`#/chat?model=${encodeURIComponent(made)}`} leftSection={<Icon name="chat" size={15} />}>{t("training.useInChat")}</Button>
          <Button size="xs" variant="subtle" color="red" leftSection={<Icon name="trash" size={15} />} onClick={() => setDeleting(true)}>{t("training.deleteModel")}</Button>
        </Group>
      )}
      {job.measured && <Measured numbers={job.measured} job={job} />}
      {here && <TryOut key={made} job={job} made={made} />}
      {deleting && (
        <ConfirmDialog title={t("training.deleteTitle")} text={t("training.deleteText", { name: made })} onClose={() => setDeleting(false)}
          onConfirm={() => removeModel.mutateAsync(made)} />
      )}
    </Stack>
  );
}

function Measured({ numbers, job }: { numbers: Numbers; job: Job }) {
  const { t, i18n } = useTranslation();
  const { base_valid_loss: base, valid_loss: loss, drift, best_step: best, seconds } = numbers;
  const number = (value: number) => formatNumber(value, i18n.language, 3);
  const score = (value: number) => `${formatNumber(100 * certaintyOf(value), i18n.language, 1)} %`;
  const rows = [
    [t("training.heldLoss"), base === null ? number(loss) : t("training.beforeAfter", { before: number(base), after: number(loss) })],
    [t("training.score"), base === null ? score(loss) : t("training.beforeAfter", { before: score(base), after: score(loss) })],
    [t("training.drift"), number(drift)],
    [t("training.kept"), best === null ? "–" : t("jobs.step", { step: best, total: job.progress.total_steps })],
    [t("training.took"), formatSpan(seconds)],
  ] as const;
  return (
    <section aria-label={t("training.measured")} className="measured">
      <Title order={3} fz={15} mb={6}>{t("training.measured")}</Title>
      <dl className="facts">{rows.map(([name, value]) => [<dt key={name}>{name}</dt>, <dd key={`${name}=`}>{value}</dd>])}</dl>
      {base !== null && loss >= base && <Text size="sm" mt="xs" fw={600}>{t("training.notBetter")}</Text>}
      <Text size="sm" mt="xs">{job.counts.held_out > 0 ? t("training.heldApart", { count: job.counts.held_out }) : t("training.heldReworded")}</Text>
      <Text size="sm" mt={4} c="dimmed">{t("training.measuredText")}</Text>
    </section>
  );
}
