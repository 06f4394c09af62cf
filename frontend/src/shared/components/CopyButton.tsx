/** Owns copying a text; works on plain-http addresses too, where the clipboard API is missing. */
import { ActionIcon, Tooltip } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Icon } from "./Icon";

export function CopyButton({ text, size = "sm" }: { text: string; size?: "sm" | "md" }) {
  const { t } = useTranslation();
  const [copied, setCopied] = useState(false);
  const label = copied ? t("common.copied") : t("common.copy");
  const copy = async () => {
    await writeClipboard(text);
    setCopied(true);
    setTimeout(() => setCopied(false), 1500);
  };
  return (
    <Tooltip label={label}>
      <ActionIcon variant="subtle" color="gray" size={size} onClick={copy} aria-label={label} className="copy-button">
        <Icon name={copied ? "check" : "copy"} size={16} />
      </ActionIcon>
    </Tooltip>
  );
}

async function writeClipboard(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}
