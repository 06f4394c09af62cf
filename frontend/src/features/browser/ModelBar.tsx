/** Owns choosing, loading and forgetting a model of this browser, and how far its files have come. */
import { Badge, Button, Group, Progress, Select, Text } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { BuiltinBadge } from "@/shared/components/BuiltinBadge";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { Icon } from "@/shared/components/Icon";
import { formatBytes } from "@/shared/format";
import { engine, type Loaded } from "./engine";
import { bytesOf, forget, useKept, useLoaded } from "./models";
import { filePercent, percentOf } from "./progress";
import type { BrowserModel, FileProgress, Task } from "./wire";

interface Props {
  task: Task;
  models: BrowserModel[];
  model: BrowserModel;
  onChoose: (model: BrowserModel) => void;
}

export function ModelBar({ task, models, model, onChoose }: Props) {
  const { t, i18n } = useTranslation();
  const loaded = useLoaded(task);
  const [forgotten, setForgotten] = useState(0);
  const kept = useKept(model, `${loaded.status} ${forgotten}`);
  const own = loaded.model?.id === model.id;
  const ready = own && loaded.status === "ready";
  const load = () => void engine.load(model).catch(() => {}); // told by `loaded`
  return (
    <section className="card browser-model" aria-label={t("browser.model")} data-status={own ? loaded.status : "none"}>
      <Group align="flex-end" gap="sm">
        <Select flex="1 1 220px" maw={360} label={t("browser.model")} allowDeselect={false} value={model.id} data={models.map(({ id }) => id)}
          onChange={(id) => onChoose(models.find((one) => one.id === id) ?? model)} />
        {loaded.status === "loading"
          ? <Button variant="default" leftSection={<Icon name="stop" size={16} />} onClick={() => engine.stop()}>{t("common.cancel")}</Button>
          : !ready && <Button variant="default" leftSection={<Icon name="download" size={16} />} onClick={load}>{t("browser.load")}</Button>}
        {kept && loaded.status !== "loading" && (
          <Button variant="subtle" color="gray" onClick={() => void forget(model).then(() => setForgotten((now) => now + 1))}>{t("browser.forget")}</Button>
        )}
      </Group>
      <Group gap="xs" mt="xs">
        {model.builtin && <BuiltinBadge />}
        <Text size="xs" c="dimmed">{[formatBytes(bytesOf(model), i18n.language), model.license].filter(Boolean).join(" · ")}</Text>
        {ready && <Where loaded={loaded} />}
        {kept && <Badge variant="light" color="gray" size="sm">{t("browser.kept")}</Badge>}
      </Group>
      {own && loaded.status === "loading" && <Files files={loaded.files} />}
      {own && loaded.status === "failed" && <ErrorNotice error={loaded.error} onRetry={load} />}
    </section>
  );
}

function Where({ loaded }: { loaded: Loaded }) {
  const { t } = useTranslation();
  if (!loaded.place) return null;
  const { device, threads } = loaded.place;
  return <Badge variant="light" size="sm">{device === "webgpu" ? "WebGPU" : t("browser.wasm", { count: threads })}</Badge>;
}

function Files({ files }: { files: FileProgress[] }) {
  const { t, i18n } = useTranslation();
  const bytes = (count: number) => formatBytes(count, i18n.language);
  return (
    <div className="browser-files">
      <Text size="sm" aria-live="polite">{t("browser.loading", { percent: Math.floor(percentOf(files)) })}</Text>
      <ul>
        {files.map((file) => (
          <li key={file.name} data-state={file.state}>
            <Text size="xs" className="ellipsis">{file.name}</Text>
            <Progress value={filePercent(file)} aria-label={file.name} size="sm" />
            <Text size="xs" c="dimmed" ta="right">{file.state === "kept" && file.cached ? t("browser.fromCache") : `${bytes(file.loaded)} / ${file.total ? bytes(file.total) : "?"}`}</Text>
          </li>
        ))}
      </ul>
    </div>
  );
}
