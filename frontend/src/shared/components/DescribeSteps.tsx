/** Owns how the steps of a picture told aloud look. */
import { Badge, Group, Loader, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { STEPS, type Step, type StepName, type Steps } from "../describe";
import { AudioPlayer } from "./AudioPlayer";
import { CopyButton } from "./CopyButton";
import { Icon, type IconName } from "./Icon";

const ICONS: Record<StepName, IconName> = { caption: "vision", translation: "translate", speech: "speech" };

export function DescribeSteps({ steps }: { steps: Steps }) {
  return <ol className="steps" aria-live="polite">{STEPS.map((name) => <StepRow key={name} name={name} step={steps[name]} />)}</ol>;
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
