/** Owns writing a message: Enter sends, Shift+Enter breaks the line, nothing is not sent. */
import { ActionIcon, Textarea, Tooltip } from "@mantine/core";
import { useEffect, useRef, useState, type KeyboardEvent } from "react";
import { useTranslation } from "react-i18next";
import { Icon } from "@/shared/components/Icon";

interface Props {
  busy: boolean;
  active: boolean;
  onSend: (text: string) => boolean;
  onStop: () => void;
}

export function Composer({ busy, active, onSend, onStop }: Props) {
  const { t } = useTranslation();
  const [text, setText] = useState("");
  const input = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    // On a phone the keyboard would cover the page before anything is read.
    if (active && matchMedia("(hover: hover)").matches) input.current?.focus();
  }, [active]);
  const send = () => { if (onSend(text)) setText(""); };
  const keyDown = (event: KeyboardEvent) => {
    // An Enter that ends the composition of an accented or Asian letter belongs to the input method.
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    send();
  };
  const label = busy ? t("chat.stop") : t("chat.send");
  return (
    <div className="composer">
      <Textarea ref={input} flex={1} autosize minRows={1} maxRows={8} variant="unstyled" value={text} placeholder={t("chat.placeholder")}
        aria-label={t("chat.message")} onChange={(event) => setText(event.target.value)} onKeyDown={keyDown} />
      <Tooltip label={label}>
        <ActionIcon size={36} radius="xl" onClick={busy ? onStop : send} aria-label={label} color={busy ? "red" : undefined}
          variant={busy || text.trim() ? "filled" : "light"}>
          <Icon name={busy ? "stop" : "send"} />
        </ActionIcon>
      </Tooltip>
    </div>
  );
}
