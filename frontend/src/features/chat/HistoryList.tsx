/** Owns the list of conversations. */
import { ActionIcon, Button, UnstyledButton } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Icon } from "@/shared/components/Icon";
import { titleOf, type Conversation } from "./conversations";

interface Props {
  conversations: Conversation[];
  currentId: string;
  onChoose: (id: string) => void;
  onStart: () => void;
  onRemove: (id: string) => void;
}

export function HistoryList({ conversations, currentId, onChoose, onStart, onRemove }: Props) {
  const { t } = useTranslation();
  return (
    <div className="history">
      <Button variant="light" fullWidth leftSection={<Icon name="plus" size={16} />} onClick={onStart}>{t("chat.new")}</Button>
      <ul>
        {conversations.map((one) => {
          const title = titleOf(one) || t("chat.untitled");
          return (
            <li key={one.id} data-current={one.id === currentId || undefined}>
              <UnstyledButton className="ellipsis" onClick={() => onChoose(one.id)} aria-current={one.id === currentId}>{title}</UnstyledButton>
              {one.messages.length > 0 && (
                <ActionIcon size="sm" variant="subtle" color="gray" onClick={() => onRemove(one.id)} aria-label={t("chat.deleteConversation", { title })}>
                  <Icon name="trash" size={15} />
                </ActionIcon>
              )}
            </li>
          );
        })}
      </ul>
    </div>
  );
}
