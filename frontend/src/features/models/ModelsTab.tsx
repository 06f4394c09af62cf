/** Owns the models tab: what is here, what could be here, under which terms. */
import { Loader, Text, Title } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { errorOf } from "@/shared/api/lists";
import { isOnTheWay, taskOf, useModels } from "@/shared/api/models";
import { EmptyState } from "@/shared/components/EmptyState";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { Installing } from "@/shared/components/Installing";
import { Page } from "@/shared/components/Page";
import { AnyModel } from "./AnyModel";
import { ALL, joined, passes, useCatalogue, useModelActions, type Filters } from "./catalogue";
import { Embedder } from "./Embedder";
import { FilterBar } from "./FilterBar";
import { ModelCard } from "./ModelCard";

export default function ModelsTab({ active }: { active: boolean }) {
  const { t, i18n } = useTranslation();
  const models = useModels();
  const catalogue = useCatalogue();
  const actions = useModelActions();
  const [filters, setFilters] = useState<Filters>(ALL);
  const entries = joined((models.data ?? []).filter((model) => !isOnTheWay(model)), catalogue.data ?? []);
  const shown = entries.filter((entry) => passes(entry, filters));
  const taskName = (task: string) => (i18n.exists(`models.task.${task}`) ? t(`models.task.${task}`) : task);
  const retry = () => { void models.refetch(); void catalogue.refetch(); };
  const missing = [...new Set([...models.missing, ...catalogue.missing])];
  const error = models.error ?? catalogue.error;
  const groups = [["installed", shown.filter((one) => one.installed)], ["available", shown.filter((one) => !one.installed)]] as const;
  return (
    <Page title={t("tabs.models")} text={t("models.text")}>
      <Installing active={active} />
      <Embedder active={active} models={models.data ?? []} />
      <FilterBar entries={entries} filters={filters} taskName={taskName} onChange={setFilters} />
      {error && <ErrorNotice error={error} onRetry={retry} />}
      {missing.map((service) => <ErrorNotice key={service} error={errorOf({ error: null }, service)} onRetry={retry} />)}
      {(models.isPending || catalogue.isPending) && <Loader size="sm" aria-label={t("common.loading")} />}
      {groups.map(([name, list]) => list.length > 0 && (
        <section key={name}>
          <Title order={2} fz={16} mt="lg" mb="sm">{t(`models.${name}`)} <Text span c="dimmed" fz={14}>{list.length}</Text></Title>
          <div className="model-grid">
            {list.map((entry) => <ModelCard key={`${entry.service}/${entry.id}`} entry={entry} taskName={taskName(taskOf(entry))} actions={actions} />)}
          </div>
        </section>
      ))}
      <AnyModel />
      {shown.length === 0 && missing.length === 0 && models.isSuccess && catalogue.isSuccess && <EmptyState icon="models" title={t("models.none")} />}
    </Page>
  );
}
