/** Owns the controls that say which models are shown. */
import { Group, Select, Switch, TextInput } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { languageName } from "@/shared/format";
import { choices, type Entry, type Filters } from "./catalogue";

interface Props {
  entries: Entry[];
  filters: Filters;
  taskName: (task: string) => string;
  onChange: (filters: Filters) => void;
}

const LISTS = ["task", "language", "license", "quantization", "publisher"] as const;

export function FilterBar({ entries, filters, taskName, onChange }: Props) {
  const { t, i18n } = useTranslation();
  const named = { task: taskName, language: (code: string) => languageName(code, i18n.language) };
  const label = (name: (typeof LISTS)[number], value: string) => (name === "task" || name === "language" ? named[name](value) : value);
  return (
    <Group gap="sm" mb="lg" align="flex-end" role="search" aria-label={t("models.searching")}>
      <TextInput flex="2 1 270px" label={t("models.search")} value={filters.text} onChange={(event) => onChange({ ...filters, text: event.target.value })} />
      {LISTS.map((name) => (
        <Select key={name} flex="1 1 130px" maw={200} label={t(`models.by.${name}`)} placeholder={t("models.all")} clearable searchable
          value={filters[name]} onChange={(value) => onChange({ ...filters, [name]: value })}
          data={choices(entries, name).map((value) => ({ value, label: label(name, value) }))} />
      ))}
      <Group w="100%" gap="sm">
        <Switch label={t("models.commercial")} checked={filters.commercial} onChange={(event) => onChange({ ...filters, commercial: event.target.checked })} />
        <Switch label={t("models.fitting")} checked={filters.fits} onChange={(event) => onChange({ ...filters, fits: event.target.checked })} />
      </Group>
    </Group>
  );
}
