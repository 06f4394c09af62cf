/** Owns the advanced panel of the chat. */
import { Button, Drawer, Group, NumberInput, Slider, Stack, Switch, Text, Textarea } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Icon } from "@/shared/components/Icon";
import { formatNumber } from "@/shared/format";
import { DEFAULT_SETTINGS, type ChatSettings } from "./settings";

interface Props {
  opened: boolean;
  onClose: () => void;
  settings: ChatSettings;
  onChange: (part: Partial<ChatSettings>) => void;
  onPersonas: () => void;
}

const DEFAULT_TEMPERATURE = 0.7;

export function SettingsDrawer({ opened, onClose, settings, onChange, onPersonas }: Props) {
  const { t, i18n } = useTranslation();
  const own = settings.temperature !== null;
  return (
    <Drawer opened={opened} onClose={onClose} position="right" size={360} title={t("chat.settings")} closeButtonProps={{ "aria-label": t("common.close") }}>
      <Stack gap="lg">
        <Textarea label={t("chat.system")} description={t("chat.systemHint")} autosize minRows={4} maxRows={12}
          value={settings.systemPrompt} onChange={(event) => onChange({ systemPrompt: event.target.value })} />
        <div>
          <Switch label={t("chat.ownTemperature")} checked={own} mb="xs"
            onChange={(event) => onChange({ temperature: event.target.checked ? DEFAULT_TEMPERATURE : null })} />
          <Text size="xs" c="dimmed" mb="sm">{t("chat.temperatureHint")}</Text>
          <Slider disabled={!own} min={0} max={2} step={0.1} value={settings.temperature ?? DEFAULT_TEMPERATURE} thumbLabel={t("chat.temperature")}
            label={(value) => formatNumber(value, i18n.language, 1)} onChange={(temperature) => onChange({ temperature })} />
        </div>
        <NumberInput label={t("chat.maxTokens")} description={t("chat.maxTokensHint")} min={1} max={32768} allowDecimal={false}
          value={settings.maxTokens ?? ""} onChange={(value) => onChange({ maxTokens: typeof value === "number" ? value : null })} />
        <Group>
          <Button variant="default" leftSection={<Icon name="user" size={16} />} onClick={onPersonas}>{t("chat.managePersonas")}</Button>
          <Button variant="subtle" onClick={() => onChange({ ...DEFAULT_SETTINGS, model: settings.model, persona: settings.persona })}>{t("common.reset")}</Button>
        </Group>
      </Stack>
    </Drawer>
  );
}
