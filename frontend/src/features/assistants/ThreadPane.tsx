/** Owns one assistant's threads: choose or begin one, write, see what the assistant does, delete. */
import { ActionIcon, Badge, Group, Select, Text, Tooltip } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "@/shared/api/client";
import { ConfirmDialog } from "@/shared/components/ConfirmDialog";
import { EmptyState } from "@/shared/components/EmptyState";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { Icon } from "@/shared/components/Icon";
import { formatDate } from "@/shared/format";
import { useMessages, useThreads } from "./assistants";
import { ThreadComposer } from "./ThreadComposer";
import { ThreadLog } from "./ThreadLog";
import { useRun } from "./useRun";
import type { Assistant, Thread } from "./wire";

interface Props {
  assistant: Assistant;
  active: boolean;
  onEdit: () => void;
  onList?: () => void;
}

/** What the picker shows for "begin a new one". */
const NEW = "";

export function ThreadPane({ assistant, active, onEdit, onList }: Props) {
  const { t, i18n } = useTranslation();
  const threads = useThreads(assistant.id);
  const [picked, setPicked] = useState<string | null>(null);
  const [deleting, setDeleting] = useState<string | null>(null);
  const all = threads.list.data ?? [];
  const threadId = picked === NEW ? null : (picked ?? all[0]?.id ?? null);
  const run = useRun(threadId);
  const messages = useMessages(threadId, run.watching);
  const queries = useQueryClient();
  const sending = useMutation({
    mutationFn: async ({ text, files }: { text: string; files: string[] }) => {
      const thread = threadId ?? (await threads.create.mutateAsync(text)).id;
      setPicked(thread);
      await api(`/v1/threads/${thread}/messages`, { method: "POST", json: { role: "user", content: text, ...attached(assistant, files) } });
      await queries.invalidateQueries({ queryKey: ["thread-messages", thread] });
      run.start(thread, assistant.id);
    },
  });
  const intro = assistant.description || assistant.instructions;
  const empty = <EmptyState icon="assistants" title={assistant.name || assistant.id} text={intro ? intro.slice(0, 300) : t("assistants.threadEmpty")} />;
  return (
    <>
      <div className="chat-bar">
        {onList && <ActionIcon variant="subtle" color="gray" size="lg" onClick={onList} aria-label={t("assistants.list")}><Icon name="assistants" /></ActionIcon>}
        <Text fw={600} className="ellipsis">{assistant.name || assistant.id}</Text>
        <Group gap={4} wrap="nowrap" className="wide-only">{assistant.tools.map((tool, at) => <Badge key={at} variant="light" size="sm">{toolName(t, tool.type, tool.function?.name)}</Badge>)}</Group>
        <Select className="chat-select chat-settings" size="xs" allowDeselect={false} aria-label={t("assistants.thread")} value={threadId ?? NEW} onChange={(id) => setPicked(id ?? NEW)}
          data={[{ value: NEW, label: t("assistants.newThread") }, ...all.map((one) => ({ value: one.id, label: titleOf(one, i18n.language) }))]} />
        {threadId !== null && <Tool icon="trash" label={t("assistants.deleteThread")} onClick={() => setDeleting(threadId)} />}
        <Tool icon="edit" label={t("assistants.edit")} onClick={onEdit} />
      </div>
      <ThreadLog key={threadId} threadId={threadId} messages={messages.data ?? []} run={run} empty={empty}>
        {threads.list.isError && <ErrorNotice error={threads.list.error} onRetry={() => void threads.list.refetch()} />}
        {messages.isError && threadId !== null && <ErrorNotice error={messages.error} onRetry={() => void messages.refetch()} />}
        {sending.error && <ErrorNotice error={sending.error} onClose={sending.reset} />}
        {run.error !== null && <ErrorNotice error={run.error} onClose={run.dismiss} />}
      </ThreadLog>
      <ThreadComposer active={active} busy={run.busy || sending.isPending} canAttach={assistant.tools.some((tool) => tool.type !== "function")}
        onStop={run.cancel} onSend={(text, files) => sending.mutateAsync({ text, files }).then(() => true, () => false)} />
      {deleting && (
        <ConfirmDialog title={t("assistants.deleteThread")} text={t("assistants.deleteThreadText")}
          onConfirm={() => threads.remove.mutateAsync(deleting).then(() => setPicked(null))} onClose={() => setDeleting(null)} />
      )}
    </>
  );
}

function Tool({ icon, label, onClick }: { icon: "trash" | "edit"; label: string; onClick: () => void }) {
  return (
    <Tooltip label={label}>
      <ActionIcon variant="subtle" color="gray" onClick={onClick} aria-label={label}><Icon name={icon} /></ActionIcon>
    </Tooltip>
  );
}

function titleOf(thread: Thread, language: string): string {
  return thread.metadata?.title || formatDate(thread.created_at, language);
}

function toolName(t: (key: string) => string, type: string, name?: string): string {
  return name ?? t(`assistants.tool.${type}`);
}

/** A file goes to every tool of the assistant that reads files. */
function attached(assistant: Assistant, files: string[]): object {
  const tools = assistant.tools.filter((tool) => tool.type !== "function").map(({ type }) => ({ type }));
  return files.length === 0 ? {} : { attachments: files.map((file_id) => ({ file_id, tools })) };
}
