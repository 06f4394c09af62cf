/** Owns the steps of the picture told aloud. */
import { Badge, Button, Group, Loader, Select, Stack, Text } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { AudioPlayer } from "@/shared/components/AudioPlayer";
import { CopyButton } from "@/shared/components/CopyButton";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { Icon, type IconName } from "@/shared/components/Icon";
import { languageName } from "@/shared/format";
import type { Source } from "./source";
import { STEPS, type Step, type StepName, type useDescribe } from "./useDescribe";

const ICONS: Record<StepName, IconName> = { caption: "vision", translation: "translate", speech: "speech" };
const TARGETS = ["pt", "en", "es"];

export function DescribePanel({ source, describe }: { source: Source; describe: ReturnType<typeof useDescribe> }) {
  const { t, i18n } = useTranslation();
  const [target, setTarget] = useState("pt");
  const run = () => void describe.run(source, target);
  return (
    <Stack gap="md">
      <Group align="flex-end" gap="sm">
        <Select flex={1} maw={220} label={t("vision.target")} allowDeselect={false} value={target} onChange={(value) => setTarget(value ?? "pt")}
          data={TARGETS.map((code) => ({ value: code, label: languageName(code, i18n.language) }))} />
        <Button onClick={run} loading={describe.busy} leftSection={<Icon name="sparkle" />}>{t("vision.describe")}</Button>
      </Group>
      {describe.error !== null && <ErrorNotice error={describe.error} onRetry={run} />}
      {describe.steps && (
        <ol className="steps" aria-live="polite">
          {STEPS.map((name) => <StepRow key={name} name={name} step={describe.steps![name]} />)}
        </ol>
      )}
    </Stack>
  );
}

function StepRow({ name, step }: { name: StepName; step: Step }) {
  const { t } = useTranslation();
  return (
    <li className="step" data-step={name} data-status={step.status}>
      <span className="step-icon">{step.status === "running" ? <Loader size={18} /> : <Icon name={step.status === "done" ? "check" : ICONS[name]} />}</span>
      <div className="step-body">
        <Group gap="xs">
          <Text size="sm" fw={600}>{t(`vision.step.${name}`)}</Text>
          {step.status === "failed" && <Badge color="red" variant="light" size="xs">{t("vision.failed")}</Badge>}
        </Group>
        {step.text && name !== "speech" && <Group gap={4} wrap="nowrap" align="flex-start"><Text className="wrap step-text">{step.text}</Text><CopyButton text={step.text} /></Group>}
        {step.url && <AudioPlayer src={step.url} name="oficina.wav" autoPlay />}
      </div>
    </li>
  );
}
