/** Owns the bar above the messages: who answers, as whom, and the ways to history and settings. */
import { ActionIcon, Tooltip } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Listing } from "@/shared/api/lists";
import type { Model } from "@/shared/api/types";
import { BuiltinBadge } from "@/shared/components/BuiltinBadge";
import { Icon } from "@/shared/components/Icon";
import { ListSelect } from "@/shared/components/ListSelect";
import { usePersonas } from "@/shared/api/personas";

interface Props {
  list: Listing<Model>;
  models: Model[];
  model: Model | undefined;
  persona: string | null;
  onModel: (id: string | null) => void;
  onPersona: (id: string | null) => void;
  onSettings: () => void;
  onHistory?: () => void;
}

export function ChatBar({ list, models, model, persona, onModel, onPersona, onSettings, onHistory }: Props) {
  const { t } = useTranslation();
  const told = usePersonas();
  const personas = told.data ?? [];
  return (
    <div className="chat-bar">
      {onHistory && (
        <Tooltip label={t("chat.history")}>
          <ActionIcon variant="default" size={36} onClick={onHistory} aria-label={t("chat.history")}><Icon name="history" /></ActionIcon>
        </Tooltip>
      )}
      <ListSelect from={list} count={models.length} service="chat" compact className="chat-select" aria-label={t("chat.model")} placeholder={t("chat.model")} allowDeselect={false} value={model?.id ?? null}
        data={models.map((one) => one.id)} onChange={onModel} />
      <ListSelect from={told} count={personas.length} none={t("chat.noPersona")} compact className="chat-select chat-later" aria-label={t("chat.persona")} placeholder={t("chat.noPersona")} clearable value={persona}
        data={personas.map((one) => ({ value: one.id, label: one.name }))} onChange={onPersona} />
      {model?.builtin && <span className="chat-badge chat-later"><BuiltinBadge /></span>}
      <Tooltip label={t("chat.settings")}>
        <ActionIcon className="chat-settings" variant="default" size={36} onClick={onSettings} aria-label={t("chat.settings")}><Icon name="settings" /></ActionIcon>
      </Tooltip>
    </div>
  );
}
