/** Owns one model: its facts, and loading, unloading, asking for installation. */
import { Badge, Button, Group, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { formatBytes } from "@/shared/format";
import { hindrance, isSmallWorld, lackText, obstacleText, type Entry, type useModelActions } from "./catalogue";

interface Props {
  entry: Entry;
  taskName: string;
  actions: ReturnType<typeof useModelActions>;
}

export function ModelCard({ entry, taskName, actions }: Props) {
  const { t, i18n } = useTranslation();
  const said = entry.description ?? entry.good_for;
  const text = said?.[i18n.language] ?? said?.[i18n.language.slice(0, 2)] ?? said?.en;
  const why = entry.installed ? null : hindrance(entry);
  const facts = [
    entry.publisher, entry.published, entry.license, entry.quantization,
    entry.size_bytes ? formatBytes(entry.size_bytes, i18n.language) : null,
    entry.memory_bytes ? t("models.memory", { size: formatBytes(entry.memory_bytes, i18n.language) }) : null,
    entry.languages?.length ? entry.languages.slice(0, 6).join(", ") : null,
  ];
  return (
    <article className="card model" data-model={entry.id}>
      <Group gap={6} mb={6}>
        <Badge variant="light" color="gray" size="sm">{taskName}</Badge>
        {entry.builtin && <Badge variant="light" size="sm">{t("common.builtin")}</Badge>}
        {entry.loaded && <Badge variant="filled" size="sm">{t("models.loaded")}</Badge>}
        {entry.noncommercial && <Badge variant="light" color="red" size="sm">{t("models.noncommercial")}</Badge>}
      </Group>
      <Text fw={600} size="sm" className="wrap">{entry.id}</Text>
      <Text size="xs" c="dimmed">{facts.filter(Boolean).join(" · ")}</Text>
      {text && <Text size="sm" mt={6}>{text}</Text>}
      {isSmallWorld(entry) && <Text size="xs" c="dimmed" mt={6}>{t("models.builtinText")}</Text>}
      {why && <Text size="xs" c={why === "fits" ? "red" : "dimmed"} mt={6} data-hindrance={why}>{t(why === "fits" ? "models.tooBig" : "models.notRunnable")} {why === "fits" && entry.lack ? lackText(entry.lack, t, i18n.language) : obstacleText(entry, t, (key) => i18n.exists(key), i18n.language)}</Text>}
      <Actions entry={entry} actions={actions} />
    </article>
  );
}

function Actions({ entry, actions }: Omit<Props, "taskName">) {
  const { t } = useTranslation();
  const action = entry.installed ? (entry.loaded ? actions.unload : actions.load) : actions.install;
  const label = entry.installed ? (entry.loaded ? t("models.unload") : t("models.load")) : t("models.install");
  const offered = entry.installed || hindrance(entry) !== "runs";
  const mine = [actions.load, actions.unload, actions.install, actions.remove].find((one) => one.error && one.variables === entry.id);
  return (
    <div className="model-foot">
      {mine && <ErrorNotice error={mine.error} onClose={mine.reset} />}
      {offered && <Button size="xs" variant={entry.loaded ? "default" : "light"} disabled={entry.fits === false && !entry.installed}
        loading={action.isPending && action.variables === entry.id} onClick={() => action.mutate(entry.id)} aria-label={`${label}: ${entry.id}`}>{label}</Button>}
      {entry.installed && !entry.builtin && (
        <Button size="xs" variant="subtle" color="red" loading={actions.remove.isPending && actions.remove.variables === entry.id}
          onClick={() => actions.remove.mutate(entry.id)} aria-label={`${t("common.delete")}: ${entry.id}`}>{t("common.delete")}</Button>
      )}
    </div>
  );
}
