/** Owns installing a repository that no catalogue names: look first, then install. */
import { Button, Group, Select, Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { useTranslation } from "react-i18next";
import { api } from "@/shared/api/client";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { formatBytes } from "@/shared/format";
import { lackText, type Lack } from "./catalogue";

interface Plan {
  id: string;
  download_bytes: number;
  memory_bytes: number | null;
  license: string | null;
  fit: "fits" | "tight" | "does_not_fit";
  lack: Lack | null;
  nearest: string | null;
}

const SERVICES = [["chat", "chat"], ["image-gen", "image"], ["vision", "caption"], ["translate", "translation"], ["tts", "speech"], ["rag", "embedding"]] as const;

export function AnyModel() {
  const { t } = useTranslation();
  const [id, setId] = useState("");
  const [service, setService] = useState<string>("chat");
  const queries = useQueryClient();
  const json = { id: id.trim(), service };
  const look = useMutation({ mutationFn: () => api<Plan>("/v1/models/plan", { method: "POST", json }) });
  const install = useMutation({
    mutationFn: () => api("/v1/models/install", { method: "POST", json }),
    onSuccess: async () => { look.reset(); setId(""); await queries.invalidateQueries({ queryKey: ["jobs"] }); },
  });
  const submit = (event: FormEvent) => { event.preventDefault(); if (json.id) look.mutate(); };
  return (
    <form className="card" onSubmit={submit} style={{ marginTop: 24 }}>
      <Group gap="sm" align="flex-end">
        <TextInput flex="2 1 220px" label={t("models.any")} placeholder="owner/name" value={id} onChange={(event) => { setId(event.target.value); look.reset(); }} />
        <Select flex="1 1 130px" maw={200} label={t("models.runAs")} allowDeselect={false} value={service} onChange={(value) => { setService(value ?? "chat"); look.reset(); }}
          data={SERVICES.map(([value, task]) => ({ value, label: t(`models.task.${task}`) }))} />
        <Button type="submit" variant="default" loading={look.isPending} disabled={!json.id}>{t("models.look")}</Button>
      </Group>
      <div aria-live="polite" className="rows" style={{ marginTop: 12 }}>
        {(look.error ?? install.error) && <ErrorNotice error={look.error ?? install.error} onClose={() => { look.reset(); install.reset(); }} />}
        {look.data && <PlanText plan={look.data} busy={install.isPending} onInstall={() => install.mutate()} />}
      </div>
    </form>
  );
}

function PlanText({ plan, busy, onInstall }: { plan: Plan; busy: boolean; onInstall: () => void }) {
  const { t, i18n } = useTranslation();
  const facts = [
    t("models.download", { size: formatBytes(plan.download_bytes, i18n.language) }),
    plan.memory_bytes ? t("models.memory", { size: formatBytes(plan.memory_bytes, i18n.language) }) : null,
    plan.license, t(`models.fit.${plan.fit}`),
  ];
  return (
    <Group justify="space-between" data-fit={plan.fit}>
      <Text size="sm">{facts.filter(Boolean).join(" · ")}{plan.lack ? `. ${lackText(plan.lack, t, i18n.language)}` : ""}{plan.nearest && plan.fit === "does_not_fit" ? ` → ${plan.nearest}` : ""}</Text>
      <Button size="xs" loading={busy} disabled={plan.fit === "does_not_fit"} onClick={onInstall}>{t("models.install")}</Button>
    </Group>
  );
}
