/** Owns writing a message: Enter sends, Shift+Enter breaks the line, nothing is not sent. */
import { ActionIcon, Button, Text, Textarea, Tooltip } from "@mantine/core";
import { useEffect, useRef, type KeyboardEvent } from "react";
import { useTranslation } from "react-i18next";
import { Icon } from "@/shared/components/Icon";

interface Props {
  text: string;
  onText: (text: string) => void;
  busy: boolean;
  /** A question above was not taken: it comes first. */
  blocked: boolean;
  active: boolean;
  onSend: (text: string) => boolean;
  onStop: () => void;
  editing: boolean;
  onCancelEdit: () => void;
}

export function Composer({ text, onText, busy, blocked, active, onSend, onStop, editing, onCancelEdit }: Props) {
  const { t } = useTranslation();
  const input = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    // On a phone the keyboard would cover the page before anything is read.
    if (active && matchMedia("(hover: hover)").matches) input.current?.focus();
  }, [active]);
  useEffect(() => { if (editing) input.current?.focus(); }, [editing]);
  const send = () => { if (onSend(text)) onText(""); };
  const keyDown = (event: KeyboardEvent) => {
    // An Enter that ends the composition of an accented or Asian letter belongs to the input method.
    if (event.key === "Escape" && editing) return onCancelEdit();
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    send();
  };
  const label = busy ? t("chat.stop") : blocked ? t("chat.blocked") : t("chat.send");
  return (
    <div className="composer-box">
      {editing && (
        <div className="composer-editing">
          <Text size="xs" c="dimmed">{t("chat.editing")}</Text>
          <Button size="compact-xs" variant="subtle" color="gray" onClick={onCancelEdit}>{t("common.cancel")}</Button>
        </div>
      )}
      <div className="composer">
        <Textarea ref={input} flex={1} autosize minRows={1} maxRows={8} variant="unstyled" value={text} placeholder={t("chat.placeholder")}
          aria-label={t("chat.message")} onChange={(event) => onText(event.target.value)} onKeyDown={keyDown} />
        <Tooltip label={label}>
          <ActionIcon size={36} radius="xl" onClick={busy ? onStop : send} aria-label={label} color={busy ? "red" : undefined}
            variant={busy || (text.trim() && !blocked) ? "filled" : "light"}>
            <Icon name={busy ? "stop" : "send"} />
          </ActionIcon>
        </Tooltip>
      </div>
    </div>
  );
}
