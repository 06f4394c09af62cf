/** Owns the models tab: what is here, what could be here, under which terms. */
import { Group, Loader, Select, Switch, Text, TextInput, Title } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { taskOf, useModels } from "@/shared/api/models";
import { EmptyState } from "@/shared/components/EmptyState";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { Page } from "@/shared/components/Page";
import { AnyModel } from "./AnyModel";
import { joined, licensesOf, tasksOf, useCatalogue, useModelActions, type Entry } from "./catalogue";
import { Installing } from "./Installing";
import { ModelCard } from "./ModelCard";

interface Filters {
  task: string | null;
  license: string | null;
  text: string;
  commercial: boolean;
}

export default function ModelsTab({ active }: { active: boolean }) {
  const { t, i18n } = useTranslation();
  const models = useModels();
  const catalogue = useCatalogue();
  const actions = useModelActions();
  const [filters, setFilters] = useState<Filters>({ task: null, license: null, text: "", commercial: false });
  const entries = joined(models.data ?? [], catalogue.data ?? []);
  const shown = entries.filter((entry) => passes(entry, filters));
  const taskName = (task: string) => (i18n.exists(`models.task.${task}`) ? t(`models.task.${task}`) : task);
  const error = models.error ?? catalogue.error;
  const groups = [["installed", shown.filter((one) => one.installed)], ["available", shown.filter((one) => !one.installed)]] as const;
  return (
    <Page title={t("tabs.models")} text={t("models.text")}>
      <Installing active={active} />
      <Group gap="sm" mb="lg" align="flex-end">
        <TextInput flex="2 1 220px" label={t("models.search")} value={filters.text} onChange={(event) => setFilters({ ...filters, text: event.target.value })} />
        <Select flex="1 1 130px" maw={200} label={t("models.taskLabel")} placeholder={t("models.all")} clearable value={filters.task} onChange={(task) => setFilters({ ...filters, task })}
          data={tasksOf(entries).map((task) => ({ value: task, label: taskName(task) }))} />
        <Select flex="1 1 130px" maw={200} label={t("models.license")} placeholder={t("models.all")} clearable value={filters.license} onChange={(license) => setFilters({ ...filters, license })} data={licensesOf(entries)} />
        <Switch mb={8} label={t("models.commercial")} checked={filters.commercial} onChange={(event) => setFilters({ ...filters, commercial: event.target.checked })} />
      </Group>
      {error && <ErrorNotice error={error} onRetry={() => { void models.refetch(); void catalogue.refetch(); }} />}
      {(models.isPending || catalogue.isPending) && <Loader size="sm" />}
      {groups.map(([name, list]) => list.length > 0 && (
        <section key={name}>
          <Title order={2} fz={16} mt="lg" mb="sm">{t(`models.${name}`)} <Text span c="dimmed" fz={14}>{list.length}</Text></Title>
          <div className="model-grid">
            {list.map((entry) => <ModelCard key={`${entry.service}/${entry.id}`} entry={entry} taskName={taskName(taskOf(entry))} actions={actions} />)}
          </div>
        </section>
      ))}
      <AnyModel />
      {shown.length === 0 && models.isSuccess && catalogue.isSuccess && <EmptyState icon="models" title={t("models.none")} />}
    </Page>
  );
}

function passes(entry: Entry, { task, license, text, commercial }: Filters): boolean {
  if (task && taskOf(entry) !== task) return false;
  if (license && entry.license !== license) return false;
  if (commercial && entry.noncommercial) return false;
  return entry.id.toLowerCase().includes(text.trim().toLowerCase());
}
