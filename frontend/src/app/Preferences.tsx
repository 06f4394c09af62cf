/** Owns the switches for language and for light, dark or the system's choice. */
import { ActionIcon, Group, SegmentedControl, Tooltip, useMantineColorScheme, type MantineColorScheme } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Icon, type IconName } from "@/shared/components/Icon";
import { setLanguage, type Language } from "@/shared/i18n";

const SCHEMES: Record<MantineColorScheme, { icon: IconName; next: MantineColorScheme }> = {
  auto: { icon: "auto", next: "light" },
  light: { icon: "sun", next: "dark" },
  dark: { icon: "moon", next: "auto" },
};

export function Preferences() {
  const { t, i18n } = useTranslation();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const { icon, next } = SCHEMES[colorScheme];
  const label = t(`shell.scheme.${colorScheme}`);
  return (
    <Group gap="xs" wrap="nowrap">
      <SegmentedControl size="xs" value={i18n.language} onChange={(value) => void setLanguage(value as Language)}
        aria-label={t("shell.language")} data={[{ value: "pt-BR", label: "PT" }, { value: "en", label: "EN" }]} />
      <Tooltip label={label}>
        <ActionIcon variant="default" size={30} onClick={() => setColorScheme(next)} aria-label={label}>
          <Icon name={icon} size={16} />
        </ActionIcon>
      </Tooltip>
    </Group>
  );
}
