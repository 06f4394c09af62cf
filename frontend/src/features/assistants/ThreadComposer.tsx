/** Owns writing to an assistant, with files. Enter sends, Shift+Enter breaks the line, nothing is not sent. */
import { ActionIcon, FileButton, Textarea, Tooltip } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState, type KeyboardEvent } from "react";
import { useTranslation } from "react-i18next";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { Icon } from "@/shared/components/Icon";
import { sendFile } from "./assistants";
import { FileRow } from "./FilesField";

interface Props {
  active: boolean;
  busy: boolean;
  canAttach: boolean;
  /** Resolves to whether it was taken; what was not stays in the box. */
  onSend: (text: string, files: string[]) => Promise<boolean>;
  onStop: () => void;
}

export function ThreadComposer({ active, busy, canAttach, onSend, onStop }: Props) {
  const { t } = useTranslation();
  const [text, setText] = useState("");
  const [files, setFiles] = useState<string[]>([]);
  const attaching = useMutation({ mutationFn: sendFile, onSuccess: (file) => setFiles((now) => [...now, file.id]) });
  const send = async () => {
    if (busy || !text.trim()) return;
    const [asked, given] = [text.trim(), files];
    setText("");
    setFiles([]);
    if (await onSend(asked, given)) return;
    setText((now) => now || asked);
    setFiles(given);
  };
  const keyDown = (event: KeyboardEvent) => {
    // An Enter that ends the composition of an accented or Asian letter belongs to the input method.
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    void send();
  };
  const label = t(busy ? "chat.stop" : "chat.send");
  return (
    <div className="composer-box">
      {files.map((id) => <FileRow key={id} id={id} onRemove={() => setFiles((now) => now.filter((other) => other !== id))} />)}
      {attaching.error && <ErrorNotice error={attaching.error} onClose={attaching.reset} />}
      <div className="composer">
        {canAttach && (
          <FileButton onChange={(file) => file && attaching.mutate(file)} inputProps={{ "aria-label": t("assistants.attach") }}>
            {(props) => <Tooltip label={t("assistants.attach")}><ActionIcon {...props} size={36} radius="xl" variant="subtle" color="gray" loading={attaching.isPending} aria-label={t("assistants.attach")}><Icon name="upload" /></ActionIcon></Tooltip>}
          </FileButton>
        )}
        <Textarea flex={1} autosize minRows={1} maxRows={8} variant="unstyled" value={text} placeholder={t("assistants.placeholder")} aria-label={t("chat.message")}
          autoFocus={active} onChange={(event) => setText(event.target.value)} onKeyDown={keyDown} />
        <Tooltip label={label}>
          <ActionIcon size={36} radius="xl" onClick={busy ? onStop : () => void send()} aria-label={label} color={busy ? "red" : undefined} disabled={!busy && !text.trim()}>
            <Icon name={busy ? "stop" : "send"} />
          </ActionIcon>
        </Tooltip>
      </div>
    </div>
  );
}
