/** Owns taking files from the reader: by click, by drag, by paste. */
import { Text, UnstyledButton } from "@mantine/core";
import { useEffect, useRef, useState, type DragEvent } from "react";
import { Icon, type IconName } from "./Icon";

interface Props {
  label: string;
  hint: string;
  accept: string;
  icon?: IconName;
  multiple?: boolean;
  /** Listen for pasted files while this tab is the one shown. */
  pasteActive?: boolean;
  onFiles: (files: File[]) => void;
}

export function FileDrop({ label, hint, accept, icon = "upload", multiple = false, pasteActive = false, onFiles }: Props) {
  const input = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const handler = useRef(onFiles);
  useEffect(() => { handler.current = onFiles; });
  useEffect(() => {
    if (!pasteActive) return;
    const paste = (event: ClipboardEvent) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (files.length > 0) handler.current(files);
    };
    window.addEventListener("paste", paste);
    return () => window.removeEventListener("paste", paste);
  }, [pasteActive]);
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    const files = [...event.dataTransfer.files];
    if (files.length > 0) onFiles(multiple ? files : files.slice(0, 1));
  };
  return (
    <>
      <UnstyledButton className="file-drop" data-over={over || undefined} onClick={() => input.current?.click()}
        onDragOver={(event) => { event.preventDefault(); setOver(true); }} onDragLeave={() => setOver(false)} onDrop={drop}>
        <Icon name={icon} size={24} />
        <Text size="sm" fw={600} ta="center">{label}</Text>
        <Text size="xs" c="dimmed" ta="center">{hint}</Text>
      </UnstyledButton>
      <input ref={input} type="file" hidden accept={accept} multiple={multiple} tabIndex={-1} aria-label={label}
        onChange={(event) => {
          const files = [...(event.target.files ?? [])];
          event.target.value = "";
          if (files.length > 0) onFiles(files);
        }} />
    </>
  );
}
