/** Owns audio on the page: a player, and the rule that a new audio pauses the old one. */
import { ActionIcon, Group, Tooltip } from "@mantine/core";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { downloadUrl } from "../download";
import { Icon } from "./Icon";

export function AudioPlayer({ src, name, autoPlay = false }: { src: string; name: string; autoPlay?: boolean }) {
  const { t } = useTranslation();
  return (
    <Group gap="xs" wrap="nowrap" w="100%">
      <audio controls src={src} autoPlay={autoPlay} className="audio" aria-label={t("common.audio")} />
      <Tooltip label={t("common.download")}>
        <ActionIcon variant="default" size="lg" aria-label={t("common.download")} onClick={() => downloadUrl(src, name)}>
          <Icon name="download" />
        </ActionIcon>
      </Tooltip>
    </Group>
  );
}

/** Pause every other player on the page when one starts. */
export function useOneAudioAtATime(): void {
  useEffect(() => {
    const pauseOthers = (event: Event) => {
      document.querySelectorAll("audio").forEach((audio) => audio !== event.target && audio.pause());
    };
    // "play" does not bubble, but it can be captured.
    document.addEventListener("play", pauseOthers, true);
    return () => document.removeEventListener("play", pauseOthers, true);
  }, []);
}
