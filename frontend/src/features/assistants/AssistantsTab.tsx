/** Owns the assistants tab: choose or make an assistant, then talk to it in threads. */
import { ActionIcon, Button, Drawer, FileButton, Group, Loader, Menu, Text, UnstyledButton } from "@mantine/core";
import { useDisclosure, useMediaQuery } from "@mantine/hooks";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "@/shared/api/client";
import { modelsFor, useModels } from "@/shared/api/models";
import type { List, Model } from "@/shared/api/types";
import { ConfirmDialog } from "@/shared/components/ConfirmDialog";
import { EmptyState } from "@/shared/components/EmptyState";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { Icon } from "@/shared/components/Icon";
import { AssistantDialog } from "./AssistantDialog";
import { useAssistantChanges, useAssistants } from "./assistants";
import { personasOf } from "./import";
import { ThreadPane } from "./ThreadPane";
import type { Assistant } from "./wire";

/** The assistant whose form is open; null: a new one; undefined: no form. */
type Editing = Assistant | null | undefined;

export default function AssistantsTab({ active }: { active: boolean }) {
  const { t } = useTranslation();
  const assistants = useAssistants();
  const { save, remove } = useAssistantChanges();
  const known = useModels();
  const models = modelsFor(known.data, "chat");
  const [chosenId, setChosenId] = useState<string | null>(null);
  const [editing, setEditing] = useState<Editing>();
  const [deleting, setDeleting] = useState<Assistant | null>(null);
  const wide = useMediaQuery("(min-width: 75em)", true, { getInitialValueInEffect: false });
  const [listOpened, list] = useDisclosure(false);
  const importing = useMutation({
    mutationFn: async (file: File) => {
      const model = models[0] ?? modelsFor((await api<List<Model>>("/v1/models")).data, "chat")[0];
      for (const draft of personasOf(await file.text(), model?.id ?? "")) await save.mutateAsync({ id: null, draft });
    },
  });
  const all = assistants.data ?? [];
  const chosen = all.find((one) => one.id === chosenId) ?? all[0] ?? null;
  const side = (
    <div className="history">
      <Button variant="light" fullWidth leftSection={<Icon name="plus" size={16} />} onClick={() => { list.close(); setEditing(null); }}>{t("assistants.new")}</Button>
      <FileButton accept="application/json,.json" onChange={(file) => file && importing.mutate(file)}>
        {(props) => <Button {...props} mt={6} variant="subtle" size="compact-sm" fullWidth leftSection={<Icon name="upload" size={15} />} loading={importing.isPending}>{t("assistants.import")}</Button>}
      </FileButton>
      {assistants.isError && all.length > 0 && <ErrorNotice error={assistants.error} onRetry={() => void assistants.refetch()} />}
      {importing.error && <ErrorNotice error={importing.error} onClose={importing.reset} />}
      <ul>
        {all.map((one) => (
          <AssistantItem key={one.id} assistant={one} current={one.id === chosen?.id} onChoose={() => { setChosenId(one.id); list.close(); }}
            onEdit={() => setEditing(one)} onDelete={() => setDeleting(one)} />
        ))}
      </ul>
    </div>
  );
  return (
    <div className="chat">
      {wide && <aside className="chat-side" aria-label={t("assistants.list")}>{side}</aside>}
      <div className="chat-main">
        <h1 className="visually-hidden">{t("tabs.assistants")}</h1>
        {chosen ? (
          <ThreadPane key={chosen.id} assistant={chosen} active={active} onEdit={() => setEditing(chosen)} onList={wide ? undefined : list.open} />
        ) : (
          <div className="messages" data-empty>
            {assistants.isPending && <Loader size="sm" aria-label={t("common.loading")} />}
            {assistants.isError && <ErrorNotice error={assistants.error} onRetry={() => void assistants.refetch()} />}
            {assistants.isSuccess && <EmptyState icon="assistants" title={t("assistants.emptyTitle")} text={t("assistants.emptyText")} />}
            <Group justify="center">
              <Button onClick={() => setEditing(null)}>{t("assistants.new")}</Button>
              {!wide && <Button variant="default" onClick={list.open}>{t("assistants.list")}</Button>}
            </Group>
          </div>
        )}
      </div>
      <Drawer opened={listOpened && !wide} onClose={list.close} size={300} title={t("assistants.list")} closeButtonProps={{ "aria-label": t("common.close") }}>{side}</Drawer>
      {editing !== undefined && (
        <AssistantDialog key={editing?.id ?? "new"} assistant={editing} list={known} models={models} onClose={() => setEditing(undefined)}
          onSave={async (draft) => { setChosenId((await save.mutateAsync({ id: editing?.id ?? null, draft })).id); setEditing(undefined); }} />
      )}
      {deleting && (
        <ConfirmDialog title={t("assistants.deleteTitle")} text={t("assistants.deleteText", { name: nameOf(deleting) })}
          onConfirm={() => remove.mutateAsync(deleting.id)} onClose={() => setDeleting(null)} />
      )}
    </div>
  );
}

function nameOf(assistant: Assistant): string {
  return assistant.name || assistant.id;
}

interface ItemProps {
  assistant: Assistant;
  current: boolean;
  onChoose: () => void;
  onEdit: () => void;
  onDelete: () => void;
}

function AssistantItem({ assistant, current, onChoose, onEdit, onDelete }: ItemProps) {
  const { t } = useTranslation();
  const name = nameOf(assistant);
  return (
    <li data-current={current || undefined} data-assistant={assistant.id}>
      <UnstyledButton onClick={onChoose} aria-current={current} miw={0}>
        <Text component="span" size="sm" display="block" className="ellipsis">{name}</Text>
        {assistant.description && <Text component="span" size="xs" c="dimmed" display="block" className="ellipsis">{assistant.description}</Text>}
      </UnstyledButton>
      <Menu position="bottom-end" withinPortal>
        <Menu.Target>
          <ActionIcon size="sm" variant="subtle" color="gray" aria-label={t("assistants.options", { name })}><Icon name="more" size={16} /></ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<Icon name="edit" size={15} />} onClick={onEdit}>{t("assistants.edit")}</Menu.Item>
          <Menu.Item color="red" leftSection={<Icon name="trash" size={15} />} onClick={onDelete}>{t("common.delete")}</Menu.Item>
        </Menu.Dropdown>
      </Menu>
    </li>
  );
}
