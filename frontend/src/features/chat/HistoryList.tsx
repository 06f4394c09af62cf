/** Owns the list of conversations: open, begin, rename, delete. */
import { ActionIcon, Button, Group, Loader, Menu, Text, UnstyledButton } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { Icon } from "@/shared/components/Icon";
import { DeleteDialog, RenameDialog } from "./ConversationDialogs";
import type { Legacy } from "./legacy";
import type { Chat } from "./useChat";
import type { Conversation } from "./wire";

interface Props {
  chat: Chat;
  legacy: Legacy;
  /** Another conversation is open now. */
  onChosen: () => void;
}

type Doing = { what: "rename" | "delete"; conversation: Conversation } | null;

export function HistoryList({ chat, legacy, onChosen }: Props) {
  const { t } = useTranslation();
  const { list, currentId } = chat;
  const [doing, setDoing] = useState<Doing>(null);
  const conversations = list.data?.pages.flatMap((page) => page.data) ?? [];
  const choose = (id: string | null) => { chat.choose(id); onChosen(); };
  const close = () => setDoing(null);
  return (
    <div className="history">
      <Button variant="light" fullWidth leftSection={<Icon name="plus" size={16} />} onClick={() => choose(null)}>{t("chat.new")}</Button>
      {legacy.offer && <LegacyOffer legacy={legacy} />}
      {list.isError && <ErrorNotice error={list.error} onRetry={() => void list.refetch()} />}
      <ul>
        {conversations.map((one) => {
          const title = one.title || t("chat.untitled");
          return (
            <li key={one.id} data-current={one.id === currentId || undefined}>
              <UnstyledButton className="ellipsis" onClick={() => choose(one.id)} aria-current={one.id === currentId}>{title}</UnstyledButton>
              {one.response_in_progress !== null && <Loader size={14} aria-label={t("chat.writing")} role="img" />}
              <Menu position="bottom-end" withinPortal>
                <Menu.Target>
                  <ActionIcon size="sm" variant="subtle" color="gray" aria-label={t("chat.options", { title })}><Icon name="more" size={16} /></ActionIcon>
                </Menu.Target>
                <Menu.Dropdown>
                  <Menu.Item leftSection={<Icon name="edit" size={15} />} onClick={() => setDoing({ what: "rename", conversation: one })}>{t("chat.rename")}</Menu.Item>
                  <Menu.Item color="red" leftSection={<Icon name="trash" size={15} />} onClick={() => setDoing({ what: "delete", conversation: one })}>{t("common.delete")}</Menu.Item>
                </Menu.Dropdown>
              </Menu>
            </li>
          );
        })}
      </ul>
      {list.hasNextPage && <Button variant="subtle" size="compact-sm" fullWidth loading={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>{t("chat.more")}</Button>}
      {doing?.what === "rename" && <RenameDialog conversation={doing.conversation} onRename={(title) => chat.rename({ conversation: doing.conversation, part: { title } })} onClose={close} />}
      {doing?.what === "delete" && <DeleteDialog title={doing.conversation.title || t("chat.untitled")} onDelete={() => chat.remove(doing.conversation.id)} onClose={close} />}
    </div>
  );
}

function LegacyOffer({ legacy }: { legacy: Legacy }) {
  const { t } = useTranslation();
  return (
    <div className="legacy" role="region" aria-label={t("chat.legacyTitle")}>
      <Text size="xs">{t("chat.legacy", { count: legacy.count })}</Text>
      {legacy.error !== null && <ErrorNotice error={legacy.error} />}
      <Group gap={6} mt={8}>
        <Button size="compact-xs" loading={legacy.busy} onClick={legacy.bring}>{t("chat.bring")}</Button>
        <Button size="compact-xs" variant="subtle" color="gray" onClick={legacy.later}>{t("chat.later")}</Button>
      </Group>
    </div>
  );
}
