/** Owns the controls of how words are chosen, each with what it does and an example of it. */
import { Slider, Stack, Switch, Text } from "@mantine/core";
import { useId } from "react";
import { useTranslation } from "react-i18next";
import { formatNumber } from "@/shared/format";
import { BOUNDS } from "./sampling";
import type { Sampling } from "./wire";

interface Props {
  sampling: Sampling;
  onChange: (part: Partial<Sampling>) => void;
}

export function SamplingForm({ sampling, onChange }: Props) {
  const { t } = useTranslation();
  const { sample } = sampling;
  return (
    <Stack gap="md">
      <div>
        <Switch label={t("browser.sample")} checked={sample} onChange={(event) => onChange({ sample: event.target.checked })} />
        <Explained hint={t("browser.sampleHint")} example={t("browser.sampleExample")} />
      </div>
      <Control name="temperature" label={t("browser.temperature")} hint={t("browser.temperatureHint")} example={t("browser.temperatureExample")}
        disabled={!sample} value={sampling.temperature} onChange={(temperature) => onChange({ temperature })} />
      <Control name="topK" label="Top-k" hint={t("browser.topKHint")} example={t("browser.topKExample")}
        disabled={!sample} value={sampling.topK} onChange={(topK) => onChange({ topK })} />
      <Control name="topP" label="Top-p" hint={t("browser.topPHint")} example={t("browser.topPExample")}
        disabled={!sample} value={sampling.topP} onChange={(topP) => onChange({ topP })} />
      <Control name="maxNewTokens" label={t("browser.maxNewTokens")} hint={t("browser.maxNewTokensHint")} example={t("browser.maxNewTokensExample")}
        value={sampling.maxNewTokens} onChange={(maxNewTokens) => onChange({ maxNewTokens })} />
    </Stack>
  );
}

interface ControlProps {
  name: keyof typeof BOUNDS;
  label: string;
  hint: string;
  example: string;
  disabled?: boolean;
  value: number;
  onChange: (value: number) => void;
}

function Control({ name, label, hint, example, disabled = false, value, onChange }: ControlProps) {
  const { i18n } = useTranslation();
  const id = useId();
  const shown = (number: number) => formatNumber(number, i18n.language, 2);
  return (
    <div data-setting={name}>
      <Text size="sm" fw={600} id={id}>{label}: {shown(value)}</Text>
      <Slider {...BOUNDS[name]} value={value} disabled={disabled} thumbLabel={label} label={shown} onChange={onChange} my={6} />
      <Explained hint={hint} example={example} />
    </div>
  );
}

function Explained({ hint, example }: { hint: string; example: string }) {
  return (
    <>
      <Text size="xs" c="dimmed">{hint}</Text>
      <Text size="xs" c="dimmed" fs="italic">{example}</Text>
    </>
  );
}
