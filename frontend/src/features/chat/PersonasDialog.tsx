/** Owns managing personas: make, delete, import and export the `{"personas": […]}` file. */
import { ActionIcon, Button, FileButton, Group, Modal, Stack, Text, Textarea, TextInput } from "@mantine/core";
import { useState, type FormEvent } from "react";
import { useTranslation } from "react-i18next";
import { request } from "@/shared/api/client";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { Icon } from "@/shared/components/Icon";
import { downloadBlob } from "@/shared/download";
import { usePersonaChanges, usePersonas, type PersonaDraft } from "@/shared/api/personas";

const EMPTY: PersonaDraft = { name: "", description: "", instructions: "" };

export function PersonasDialog({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const { t } = useTranslation();
  const personas = usePersonas();
  const { create, remove, importAll } = usePersonaChanges();
  const [exportError, setExportError] = useState<unknown>(null);
  const error = create.error ?? remove.error ?? importAll.error ?? exportError ?? personas.error;
  const exportAll = async () => {
    try {
      downloadBlob(await (await request("/v1/personas/export")).blob(), "personas.json");
    } catch (reason) {
      setExportError(reason);
    }
  };
  return (
    <Modal opened={opened} onClose={onClose} title={t("chat.personas")} size="lg" closeButtonProps={{ "aria-label": t("common.close") }}>
      <Stack>
        <Group gap="xs">
          <FileButton accept="application/json,.json" onChange={(file) => file && importAll.mutate(file)}>
            {(props) => <Button {...props} variant="default" size="xs" leftSection={<Icon name="upload" size={15} />} loading={importAll.isPending}>{t("chat.import")}</Button>}
          </FileButton>
          <Button variant="default" size="xs" leftSection={<Icon name="download" size={15} />} onClick={() => void exportAll()}>{t("chat.export")}</Button>
        </Group>
        {error !== null && <ErrorNotice error={error} />}
        <div className="rows">
          {personas.data?.map((persona) => (
            <Group key={persona.id} justify="space-between" wrap="nowrap" className="row">
              <div>
                <Text size="sm" fw={500}>{persona.name}</Text>
                <Text size="xs" c="dimmed" lineClamp={2}>{persona.description}</Text>
              </div>
              <ActionIcon variant="subtle" color="red" onClick={() => remove.mutate(persona.id)} aria-label={t("chat.deletePersona", { name: persona.name })}>
                <Icon name="trash" />
              </ActionIcon>
            </Group>
          ))}
        </div>
        <PersonaForm busy={create.isPending} onCreate={(draft) => create.mutateAsync(draft).then(() => true, () => false)} />
      </Stack>
    </Modal>
  );
}

function PersonaForm({ busy, onCreate }: { busy: boolean; onCreate: (draft: PersonaDraft) => Promise<boolean> }) {
  const { t } = useTranslation();
  const [draft, setDraft] = useState(EMPTY);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const instructions = draft.instructions?.trim();
    const done = await onCreate({ name: draft.name.trim(), description: draft.description?.trim() ?? "", ...(instructions ? { instructions } : {}) });
    if (done) setDraft(EMPTY);
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="sm">
        <TextInput label={t("chat.personaName")} value={draft.name} maxLength={80} onChange={(event) => setDraft({ ...draft, name: event.target.value })} />
        <Textarea label={t("chat.personaDescription")} autosize minRows={2} maxRows={5} value={draft.description ?? ""}
          onChange={(event) => setDraft({ ...draft, description: event.target.value })} />
        <Textarea label={t("chat.personaInstructions")} autosize minRows={2} maxRows={6} value={draft.instructions ?? ""}
          onChange={(event) => setDraft({ ...draft, instructions: event.target.value })} />
        <Group justify="flex-end">
          <Button type="submit" loading={busy} disabled={!draft.name.trim() || !draft.description?.trim()}>{t("chat.createPersona")}</Button>
        </Group>
      </Stack>
    </form>
  );
}
