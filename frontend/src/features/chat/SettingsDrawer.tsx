/** Owns the advanced panel of the chat. */
import { Button, Drawer, Group, Slider, Stack, Switch, Text, Textarea } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { Icon } from "@/shared/components/Icon";
import { NumberField } from "@/shared/components/NumberField";
import { formatNumber } from "@/shared/format";
import type { Legacy } from "./legacy";
import { DEFAULT_SETTINGS, type ChatSettings } from "./settings";

interface Props {
  opened: boolean;
  onClose: () => void;
  settings: ChatSettings;
  onChange: (part: Partial<ChatSettings>) => void;
  onPersonas: () => void;
  legacy: Legacy;
}

export function SettingsDrawer({ opened, onClose, settings, onChange, onPersonas, legacy }: Props) {
  const { t } = useTranslation();
  return (
    <Drawer opened={opened} onClose={onClose} position="right" size={360} title={t("chat.settings")} closeButtonProps={{ "aria-label": t("common.close") }}>
      <Stack gap="lg">
        <Textarea label={t("chat.system")} description={t("chat.systemHint")} autosize minRows={4} maxRows={12}
          value={settings.systemPrompt} onChange={(event) => onChange({ systemPrompt: event.target.value })} />
        <OwnValue label={t("chat.temperature")} choose={t("chat.ownTemperature")} hint={t("chat.temperatureHint")} min={0} max={2} step={0.1} start={0.8}
          value={settings.temperature} onChange={(temperature) => onChange({ temperature })} />
        <OwnValue label="Top-p" choose={t("chat.ownTopP")} hint={t("chat.topPHint")} min={0.05} max={1} step={0.05} start={0.95}
          value={settings.topP} onChange={(topP) => onChange({ topP })} />
        <OwnValue label="Top-k" choose={t("chat.ownTopK")} hint={t("chat.topKHint")} min={1} max={100} step={1} start={40}
          value={settings.topK} onChange={(topK) => onChange({ topK })} />
        <NumberField label={t("chat.maxTokens")} description={t("chat.maxTokensHint")} min={1} max={32768} allowDecimal={false}
          value={settings.maxTokens} onChange={(maxTokens) => onChange({ maxTokens })} />
        <Group>
          <Button variant="default" leftSection={<Icon name="user" size={16} />} onClick={onPersonas}>{t("chat.managePersonas")}</Button>
          <Button variant="subtle" onClick={() => onChange({ ...DEFAULT_SETTINGS, model: settings.model, persona: settings.persona })}>{t("common.reset")}</Button>
        </Group>
        {legacy.count > 0 && (
          <div>
            <Text size="xs" c="dimmed" mb="xs">{t("chat.legacy", { count: legacy.count })}</Text>
            {legacy.error !== null && <ErrorNotice error={legacy.error} />}
            <Button size="xs" variant="default" loading={legacy.busy} onClick={legacy.bring}>{t("chat.bring")}</Button>
          </div>
        )}
      </Stack>
    </Drawer>
  );
}

interface OwnValueProps {
  label: string;
  choose: string;
  hint: string;
  min: number;
  max: number;
  step: number;
  /** What is there when the reader begins to choose: the server's own value. */
  start: number;
  value: number | null;
  onChange: (value: number | null) => void;
}

function OwnValue({ label, choose, hint, min, max, step, start, value, onChange }: OwnValueProps) {
  const { i18n } = useTranslation();
  const shown = (number: number) => formatNumber(number, i18n.language, 2);
  return (
    <div>
      <Group justify="space-between" wrap="nowrap" mb={6}>
        <Switch label={choose} checked={value !== null} onChange={(event) => onChange(event.target.checked ? start : null)} />
        {value !== null && <Text size="sm" fw={600}>{shown(value)}</Text>}
      </Group>
      <Text size="xs" c="dimmed" mb={value !== null ? "xs" : 0}>{hint}</Text>
      {value !== null && <Slider min={min} max={max} step={step} value={value} thumbLabel={label} label={shown} onChange={onChange} />}
    </div>
  );
}
