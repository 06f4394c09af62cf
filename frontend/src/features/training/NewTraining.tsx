/** Owns the form of a new training: examples, base, how it learns. */
import { Button, Collapse, Group, SimpleGrid, Stack, Text, TextInput, Title, UnstyledButton } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { FormEvent } from "react";
import { useTranslation } from "react-i18next";
import { asApiError } from "@/shared/api/errors";
import { useModels } from "@/shared/api/models";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { Icon } from "@/shared/components/Icon";
import { ListSelect } from "@/shared/components/ListSelect";
import { NumberField } from "@/shared/components/NumberField";
import { basesOf, suffixIsFine, type Draft } from "./draft";
import { ExamplesField } from "./ExamplesField";
import { fileOf, lineOfRefusal, readExamples } from "./examples";
import type { useTrainingChanges } from "./jobs";

interface Props {
  draft: Draft;
  begin: ReturnType<typeof useTrainingChanges>["begin"];
  onChange: (part: Partial<Draft>) => void;
  onBegun: (jobId: string) => void;
}

export function NewTraining({ draft, begin, onChange, onBegun }: Props) {
  const { t } = useTranslation();
  const models = useModels();
  const bases = basesOf(models.data);
  const model = bases.find(({ id }) => id === draft.model) ?? bases.find(({ builtin }) => builtin) ?? bases[0];
  const change = (part: Partial<Draft>) => { if (begin.error) begin.reset(); onChange(part); };
  const reading = readExamples(draft.file?.text ?? draft.text);
  const ready = model !== undefined && reading.examples.length > 0 && reading.problems.length === 0 && suffixIsFine(draft.suffix);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!ready || begin.isPending) return;
    const { suffix, epochs, batch, rate } = draft;
    begin.mutate({ order: { model: model.id, suffix, epochs, batch, rate }, file: fileOf(reading, suffix) }, { onSuccess: ({ id }) => onBegun(id) });
  };
  const refused = begin.error ? asApiError(begin.error) : null;
  const line = refused?.code === "invalid_training_data" ? lineOfRefusal(refused.message, reading) : null;
  return (
    <form className="card" onSubmit={submit} aria-labelledby="training-new">
      <Stack gap="md">
        <Title order={2} fz={17} id="training-new">{t("training.new")}</Title>
        <ExamplesField draft={draft} onChange={change} refusal={line === null ? null : { line, message: refused!.message }} />
        <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="md">
          <ListSelect from={models} count={bases.length} service="chat" none={t("training.noBase")} label={t("training.base")} description={t("training.baseHint")} allowDeselect={false} data={bases.map(({ id }) => id)} value={model?.id ?? null}
            onChange={(id) => change({ model: id })} />
          <TextInput label={t("training.suffix")} description={t("training.suffixHint")} value={draft.suffix} maxLength={64} autoComplete="off"
            error={suffixIsFine(draft.suffix) ? null : t("training.suffixWrong")} onChange={(event) => change({ suffix: event.target.value })} />
        </SimpleGrid>
        <HowItLearns draft={draft} onChange={change} />
        {begin.error && <ErrorNotice error={begin.error} onClose={begin.reset} />}
        <Group justify="space-between" gap="sm">
          <Text size="xs" c="dimmed" flex="1 1 260px">{t("training.takes")}</Text>
          <Button type="submit" loading={begin.isPending} disabled={!ready} leftSection={<Icon name="training" />}>{t("training.begin")}</Button>
        </Group>
      </Stack>
    </form>
  );
}

function HowItLearns({ draft, onChange }: Pick<Props, "draft" | "onChange">) {
  const { t } = useTranslation();
  const [opened, more] = useDisclosure(false);
  return (
    <>
      <NumberField label={t("training.epochs")} description={t("training.epochsHint")} placeholder={t("common.automatic")} min={1} max={1000} allowDecimal={false} maw={420}
        clampBehavior="strict" value={draft.epochs} onChange={(epochs) => onChange({ epochs })} />
      <UnstyledButton className="text-button" onClick={more.toggle} aria-expanded={opened}><Icon name="settings" size={16} />{t("training.more")}</UnstyledButton>
      <Collapse expanded={opened}>
        <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="md">
          <NumberField label={t("training.batch")} description={t("training.batchHint")} placeholder={t("common.automatic")} min={1} max={64} allowDecimal={false}
            clampBehavior="strict" value={draft.batch} onChange={(batch) => onChange({ batch })} />
          <NumberField label={t("training.rate")} description={t("training.rateHint")} placeholder="1" min={0.01} max={100} step={0.5}
            value={draft.rate} onChange={(rate) => onChange({ rate })} />
        </SimpleGrid>
      </Collapse>
    </>
  );
}
