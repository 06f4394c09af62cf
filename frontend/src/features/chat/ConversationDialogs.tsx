/** Owns the two questions about a conversation: its new title, and whether it may be deleted. */
import { Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useState, type FormEvent, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import type { Conversation } from "./wire";

const LONGEST_TITLE = 80;

interface Ask {
  heading: string;
  confirm: string;
  danger?: boolean;
  onConfirm: () => Promise<unknown>;
  onClose: () => void;
  children: ReactNode;
}

/** Stays open, and says why, when what was confirmed does not work. */
function Dialog({ heading, confirm, danger, onConfirm, onClose, children }: Ask) {
  const { t } = useTranslation();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    onConfirm().then(onClose, (reason: unknown) => {
      setError(reason);
      setBusy(false);
    });
  };
  return (
    <Modal opened onClose={onClose} title={heading} centered closeButtonProps={{ "aria-label": t("common.close") }}>
      <Stack component="form" onSubmit={submit}>
        {children}
        {error !== null && <ErrorNotice error={error} />}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>{t("common.cancel")}</Button>
          <Button type="submit" color={danger ? "red" : undefined} loading={busy} data-autofocus={danger}>{confirm}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}

export function DeleteDialog({ title, onDelete, onClose }: { title: string; onDelete: () => Promise<unknown>; onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <Dialog heading={t("chat.deleteTitle")} confirm={t("common.delete")} danger onConfirm={onDelete} onClose={onClose}>
      <Text size="sm" className="wrap">{t("chat.deleteText", { title })}</Text>
    </Dialog>
  );
}

interface Rename {
  conversation: Conversation;
  onRename: (title: string) => Promise<unknown>;
  onClose: () => void;
}

export function RenameDialog({ conversation, onRename, onClose }: Rename) {
  const { t } = useTranslation();
  const [title, setTitle] = useState(conversation.title);
  return (
    <Dialog heading={t("chat.renameTitle")} confirm={t("chat.rename")} onConfirm={() => onRename(title.trim())} onClose={onClose}>
      <TextInput label={t("chat.title")} description={t("chat.titleHint")} value={title} maxLength={LONGEST_TITLE} data-autofocus
        onChange={(event) => setTitle(event.target.value)} />
    </Dialog>
  );
}
