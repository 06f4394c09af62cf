/** Owns the chat tab: puts history, messages, composer and settings together. */
import { Drawer } from "@mantine/core";
import { useDisclosure, useMediaQuery } from "@mantine/hooks";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { modelsFor, useModels } from "@/shared/api/models";
import { EmptyState } from "@/shared/components/EmptyState";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { useSession } from "@/shared/session";
import { ChatBar } from "./ChatBar";
import { Composer } from "./Composer";
import { HistoryList } from "./HistoryList";
import { useLegacy } from "./legacy";
import { lastQuestion } from "./messages";
import { Messages } from "./Messages";
import { Outcome } from "./Outcome";
import { PersonasDialog } from "./PersonasDialog";
import { useChatSettings } from "./settings";
import { SettingsDrawer } from "./SettingsDrawer";
import { useChat } from "./useChat";

export default function ChatTab({ active }: { active: boolean }) {
  const { t } = useTranslation();
  const { settings, change } = useChatSettings();
  const known = useModels();
  const models = modelsFor(known.data, "chat");
  const model = models.find((one) => one.id === settings.model) ?? models[0];
  const chat = useChat({ ...settings, model: model?.id ?? null }, active);
  const legacy = useLegacy(useSession().id);
  const wide = useMediaQuery("(min-width: 75em)", true, { getInitialValueInEffect: false });
  const [historyOpened, history] = useDisclosure(false);
  const [settingsOpened, panel] = useDisclosure(false);
  const [personasOpened, personas] = useDisclosure(false);
  const [draft, setDraft] = useState("");
  /** The conversation whose last question is being written anew. */
  const [editing, setEditing] = useState<string | null>(null);
  const edits = editing !== null && editing === chat.currentId;
  const { view } = chat;
  const list = <HistoryList chat={chat} legacy={legacy} onChosen={() => { setEditing(null); history.close(); }} />;
  const send = (text: string) => {
    const sent = chat.send(text, edits ? lastQuestion(chat.items)?.itemIds : undefined);
    if (sent) setEditing(null);
    return sent;
  };
  const edit = () => {
    setEditing(chat.currentId);
    setDraft(lastQuestion(chat.items)?.text ?? "");
  };
  const takeBack = () => {
    const text = chat.dismiss();
    if (!draft.trim()) setDraft(text);
  };
  const choosePersona = (persona: string | null) => (chat.currentId === null ? change({ persona }) : chat.setPersona(persona));
  const examples = t("chat.examples", { returnObjects: true }) as unknown as string[];
  const empty = <EmptyState icon="chat" title={t("chat.emptyTitle")} text={t("chat.emptyText")} examples={examples} onExample={send} />;
  return (
    <div className="chat">
      {wide && <aside className="chat-side" aria-label={t("chat.history")}>{list}</aside>}
      <div className="chat-main">
        <h1 className="visually-hidden">{t("tabs.chat")}</h1>
        <ChatBar list={known} models={models} model={model} persona={chat.persona} onModel={(id) => change({ model: id })} onPersona={choosePersona}
          onSettings={panel.open} onHistory={wide ? undefined : history.open} />
        <Messages conversationId={chat.currentId} view={view} loading={chat.currentId !== null && chat.opened.isPending} empty={empty}
          onRegenerate={chat.free ? chat.regenerate : undefined} onEdit={chat.free ? edit : undefined}>
          {chat.opened.isError && chat.currentId !== null && <ErrorNotice error={chat.opened.error} onRetry={() => void chat.opened.refetch()} />}
          {chat.problem !== null && <ErrorNotice error={chat.problem} onClose={chat.problemSolved} />}
          {chat.error !== null && <ErrorNotice error={chat.error} onClose={takeBack} onRetry={view.unsent !== null ? chat.resend : undefined} />}
          {chat.free && <Outcome messages={view.messages} onRetry={chat.regenerate} />}
        </Messages>
        <Composer text={draft} onText={setDraft} busy={view.pending !== null} blocked={view.unsent !== null} active={active}
          onSend={send} onStop={chat.stop} editing={edits} onCancelEdit={() => { setEditing(null); setDraft(""); }} />
      </div>
      <Drawer opened={historyOpened && !wide} onClose={history.close} size={300} title={t("chat.history")} closeButtonProps={{ "aria-label": t("common.close") }}>{list}</Drawer>
      <SettingsDrawer opened={settingsOpened} onClose={panel.close} settings={settings} onChange={change} legacy={legacy}
        onPersonas={() => { panel.close(); personas.open(); }} />
      <PersonasDialog opened={personasOpened} onClose={personas.close} />
    </div>
  );
}
