/** Owns the chat tab: puts history, messages, composer and settings together. */
import { ActionIcon, Drawer, Select, Tooltip } from "@mantine/core";
import { useDisclosure, useMediaQuery } from "@mantine/hooks";
import { useTranslation } from "react-i18next";
import { modelsFor, useModels } from "@/shared/api/models";
import { BuiltinBadge } from "@/shared/components/BuiltinBadge";
import { EmptyState } from "@/shared/components/EmptyState";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { Icon } from "@/shared/components/Icon";
import { Composer } from "./Composer";
import { HistoryList } from "./HistoryList";
import { Messages } from "./Messages";
import { usePersonas } from "./personas";
import { PersonasDialog } from "./PersonasDialog";
import { useChatSettings, type ChatSettings } from "./settings";
import { SettingsDrawer } from "./SettingsDrawer";
import { useChat } from "./useChat";

export default function ChatTab({ active }: { active: boolean }) {
  const { t } = useTranslation();
  const { settings, change } = useChatSettings();
  const choices = useChoices(settings);
  const chat = useChat({ ...settings, model: choices.model?.id ?? null, persona: choices.persona });
  const wide = useMediaQuery("(min-width: 75em)", true, { getInitialValueInEffect: false });
  const [historyOpened, history] = useDisclosure(false);
  const [settingsOpened, panel] = useDisclosure(false);
  const [personasOpened, personas] = useDisclosure(false);
  const list = (
    <HistoryList conversations={chat.conversations} currentId={chat.current.id} onRemove={chat.remove}
      onChoose={(id) => { chat.choose(id); history.close(); }} onStart={() => { chat.start(); history.close(); }} />
  );
  const pending = chat.pending?.conversationId === chat.current.id ? chat.pending.text : null;
  const failure = chat.failure?.conversationId === chat.current.id ? chat.failure.error : null;
  const examples = t("chat.examples", { returnObjects: true }) as unknown as string[];
  return (
    <div className="chat">
      {wide && <aside className="chat-side" aria-label={t("chat.history")}>{list}</aside>}
      <div className="chat-main">
        <h1 className="visually-hidden">{t("tabs.chat")}</h1>
        <ChatBar choices={choices} onChange={change} onSettings={panel.open} onHistory={wide ? undefined : history.open} />
        <Messages conversationId={chat.current.id} messages={chat.current.messages} pending={pending} onRegenerate={chat.regenerate}
          empty={<EmptyState icon="chat" title={t("chat.emptyTitle")} text={t("chat.emptyText")} examples={examples} onExample={chat.send} />}>
          {failure !== null && <ErrorNotice error={failure} onRetry={chat.regenerate} onClose={chat.dismiss} />}
        </Messages>
        <Composer busy={chat.pending !== null} active={active} onSend={chat.send} onStop={chat.stop} />
      </div>
      <Drawer opened={historyOpened && !wide} onClose={history.close} size={300} title={t("chat.history")} closeButtonProps={{ "aria-label": t("common.close") }}>{list}</Drawer>
      <SettingsDrawer opened={settingsOpened} onClose={panel.close} settings={settings} onChange={change} onPersonas={() => { panel.close(); personas.open(); }} />
      <PersonasDialog opened={personasOpened} onClose={personas.close} />
    </div>
  );
}

/** What is remembered may be gone from the server: only what is there is chosen. */
function useChoices(settings: ChatSettings) {
  const models = modelsFor(useModels().data, "chat");
  const personas = usePersonas().data ?? [];
  const model = models.find((one) => one.id === settings.model) ?? models[0];
  const persona = personas.some((one) => one.id === settings.persona) ? settings.persona : null;
  return { models, personas, model, persona };
}

interface BarProps {
  choices: ReturnType<typeof useChoices>;
  onChange: (part: Partial<ChatSettings>) => void;
  onSettings: () => void;
  onHistory?: () => void;
}

function ChatBar({ choices, onChange, onSettings, onHistory }: BarProps) {
  const { t } = useTranslation();
  const { models, personas, model, persona } = choices;
  return (
    <div className="chat-bar">
      {onHistory && (
        <Tooltip label={t("chat.history")}>
          <ActionIcon variant="default" size={36} onClick={onHistory} aria-label={t("chat.history")}><Icon name="history" /></ActionIcon>
        </Tooltip>
      )}
      <Select className="chat-select" aria-label={t("chat.model")} placeholder={t("chat.model")} allowDeselect={false} value={model?.id ?? null}
        data={models.map((one) => one.id)} onChange={(value) => onChange({ model: value })} />
      <Select className="chat-select chat-later" aria-label={t("chat.persona")} placeholder={t("chat.noPersona")} clearable value={persona}
        data={personas.map((one) => ({ value: one.id, label: one.name }))} onChange={(value) => onChange({ persona: value })} />
      {model?.builtin && <span className="chat-badge chat-later"><BuiltinBadge /></span>}
      <Tooltip label={t("chat.settings")}>
        <ActionIcon className="chat-settings" variant="default" size={36} onClick={onSettings} aria-label={t("chat.settings")}><Icon name="settings" /></ActionIcon>
      </Tooltip>
    </div>
  );
}
