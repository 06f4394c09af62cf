/** Owns choosing, loading and forgetting a model of this browser, and how far its files have come. */
import { Badge, Button, Group, Progress, Select, Stack, Switch, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "@/shared/api/client";
import { BuiltinBadge } from "@/shared/components/BuiltinBadge";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { Icon } from "@/shared/components/Icon";
import { formatBytes } from "@/shared/format";
import { useSession } from "@/shared/session";
import { engine, type Loaded } from "./engine";
import { bytesOf, forget, useBrowserModels, useGpu, useKept, useLoaded, type PublicModel } from "./models";
import { filePercent, percentOf } from "./progress";
import { fitted, hasGraphics } from "./variants";
import type { BrowserModel, FileProgress, Task } from "./wire";

interface Props {
  task: Task;
  choice: Choice;
}

export interface Choice {
  /** The chosen model, with the files that this browser needs. */
  model: BrowserModel;
  models: BrowserModel[];
  offered: PublicModel[];
  service: string;
  choose: (id: string) => void;
  /** null: the model has nothing for a graphics processor, or there is none. */
  graphics: boolean | null;
  setGraphics: (wanted: boolean) => void;
}

export function useChoice(task: Task): Choice {
  const { models, offered, service } = useBrowserModels(task);
  const gpu = useGpu();
  const [id, choose] = useState<string | null>(null);
  const [graphics, setGraphics] = useState(true);
  const whole = models.find((one) => one.id === id) ?? models[0]!;
  const could = hasGraphics(whole, gpu);
  return { model: fitted(whole, graphics ? gpu : "none"), models, offered, service, choose, graphics: could ? graphics : null, setGraphics };
}

export function ModelBar({ task, choice }: Props) {
  const { model, models } = choice;
  const { t, i18n } = useTranslation();
  const loaded = useLoaded(task);
  const [forgotten, setForgotten] = useState(0);
  const kept = useKept(model, `${loaded.status} ${forgotten}`);
  const own = loaded.model?.id === model.id && loaded.model.dtype === model.dtype;
  const ready = own && loaded.status === "ready";
  const load = () => void engine.load(model).catch(() => {}); // told by `loaded`
  return (
    <section className="card browser-model" aria-label={t("browser.model")} data-status={own ? loaded.status : "none"}>
      <Group align="flex-end" gap="sm">
        <Select flex="1 1 220px" maw={360} label={t("browser.model")} allowDeselect={false} value={model.id} data={models.map(({ id }) => id)}
          onChange={(id) => id && choice.choose(id)} />
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
        {choice.graphics !== null && <Switch size="xs" label={t("browser.webgpu")} checked={choice.graphics} onChange={(event) => choice.setGraphics(event.target.checked)} />}
      </Group>
      {own && loaded.status === "loading" && <Files files={loaded.files} />}
      {own && loaded.status === "failed" && <ErrorNotice error={loaded.error} onRetry={load} />}
      <Offered choice={choice} />
    </section>
  );
}

/** Public models that the server does not have yet; only an owner may have them brought there. */
function Offered({ choice: { offered, service } }: { choice: Choice }) {
  const { t, i18n } = useTranslation();
  const { role } = useSession();
  const queries = useQueryClient();
  const install = useMutation({
    mutationFn: (id: string) => api("/v1/models/install", { method: "POST", json: { id, service } }),
    onSettled: () => queries.invalidateQueries({ queryKey: ["jobs"] }),
  });
  if (offered.length === 0) return null;
  return (
    <Stack gap="xs" mt="md">
      {offered.map((model) => (
        <Group key={model.id} gap="sm" justify="space-between" data-offered={model.id}>
          <Text size="sm" className="wrap" flex="1 1 240px">
            {model.id} <Text span size="xs" c="dimmed">{[model.good_for[i18n.language] ?? model.good_for.en, formatBytes(model.size_bytes, i18n.language), model.license].filter(Boolean).join(" · ")}</Text>
          </Text>
          {role === "owner" && (
            <Button size="compact-sm" variant="default" loading={install.isPending} onClick={() => install.mutate(model.id)} aria-label={`${t("models.install")} ${model.id}`}>{t("models.install")}</Button>
          )}
        </Group>
      ))}
      {install.error && <ErrorNotice error={install.error} onClose={() => install.reset()} />}
    </Stack>
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
