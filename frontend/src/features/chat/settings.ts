/** Owns how the next answer is asked for; remembered in this browser. */
import { useEffect, useState } from "react";
import { load, save } from "@/shared/storage";

export interface ChatSettings {
  model: string | null;
  persona: string | null;
  systemPrompt: string;
  /** null leaves the choice to the server. */
  temperature: number | null;
  maxTokens: number | null;
}

export const DEFAULT_SETTINGS: ChatSettings = { model: null, persona: null, systemPrompt: "", temperature: null, maxTokens: null };

export function useChatSettings() {
  const [settings, setSettings] = useState<ChatSettings>(() => ({ ...DEFAULT_SETTINGS, ...load<Partial<ChatSettings>>("chat-settings", {}) }));
  useEffect(() => save("chat-settings", settings), [settings]);
  const change = (part: Partial<ChatSettings>) => setSettings((now) => ({ ...now, ...part }));
  return { settings, change };
}
